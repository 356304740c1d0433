package org.pocketface.sdk.gallery;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.EmbeddingException;
import org.pocketface.sdk.liveness.LivenessCheck;
import org.pocketface.sdk.liveness.Verdict;

/**
 * Exact matching of an embedding against templates, 1:1 and 1:N. Every template is compared; nothing is approximated.
 *
 * <p>A person with several templates is as similar as the most similar of them (fusion by maximum). That is also why the comparisons
 * that count for a rate are those with templates, not with people. Similarities are cosines in float32, for embeddings of D numbers within
 * D · 6e-8 of exact ones; equal ones are in the order of enrolment. May be shared between threads.
 */
public final class Matcher {
  private final Templates templates;

  /** Searches {@code templates}, which are not copied: leave them open. */
  public Matcher(@NotNull Templates templates) {
    this.templates = templates;
  }

  /** Templates that are searched. */
  @NotNull
  public Templates templates() {
    return templates;
  }

  /**
   * The {@code most} most similar people, most similar first, whatever their similarity.
   *
   * @param probe an embedding [model.size()] of length 1, by the templates' model
   * @throws EmbeddingException for another size or length, NaN and infinity
   * @throws IllegalArgumentException where {@code most} is below 1
   * @throws GalleryException.Closed where the templates were closed
   */
  @NotNull
  public List<Candidate> top(@NotNull float[] probe, int most) {
    check(probe);
    return best(templates.similarities(probe), most, Double.NEGATIVE_INFINITY);
  }

  /**
   * 1:N without a check that the face is live: the {@code most} most similar people at {@code point}.
   *
   * @param probe an embedding [model.size()] of length 1, by the templates' model
   * @throws EmbeddingException for another size or length, NaN and infinity
   * @throws IllegalArgumentException where {@code most} is below 1
   * @throws GalleryException.Model where the threshold is another model's
   * @throws GalleryException.Closed where the templates were closed
   */
  @NotNull
  public Match identify(@NotNull float[] probe, @NotNull OperatingPoint point, int most) {
    return identify(probe, point, most, null);
  }

  /**
   * 1:N behind a liveness check: {@code liveness} is asked about {@code capture} first, and only where it says yes is {@code probe}, the
   * embedding of the same face, compared with anybody. Errors are those without a check, and whatever the check throws: then there is
   * no match.
   */
  @NotNull
  public <C> Match identify(
      @NotNull float[] probe, @NotNull OperatingPoint point, int most, @NotNull LivenessCheck<? super C> liveness, @NotNull C capture) {
    Verdict verdict = liveness.check(capture);
    return verdict.live() ? identify(probe, point, most, verdict) : refused(point, verdict);
  }

  /**
   * 1:1 without a check that the face is live: whether {@code probe} is {@code personId}'s. Falsely so at most as often as the false match
   * rate times the templates of that person.
   *
   * @param probe an embedding [model.size()] of length 1, by the templates' model
   * @throws GalleryException.NoPerson where nobody of that id has a template of this model
   * @throws EmbeddingException for another size or length, NaN and infinity
   * @throws GalleryException.Model where the threshold is another model's
   * @throws GalleryException.Closed where the templates were closed
   */
  @NotNull
  public Match verify(@NotNull String personId, @NotNull float[] probe, @NotNull OperatingPoint point) {
    return verify(personId, probe, point, null);
  }

  /** 1:1 behind a liveness check, as {@link #identify(float[], OperatingPoint, int, LivenessCheck, Object)} is 1:N. */
  @NotNull
  public <C> Match verify(
      @NotNull String personId,
      @NotNull float[] probe,
      @NotNull OperatingPoint point,
      @NotNull LivenessCheck<? super C> liveness,
      @NotNull C capture) {
    Verdict verdict = liveness.check(capture);
    return verdict.live() ? verify(personId, probe, point, verdict) : refused(point, verdict);
  }

  private Match identify(float[] probe, OperatingPoint point, int most, Verdict verdict) {
    point.check(templates.model());
    check(probe);
    return new Match(best(templates.similarities(probe), most, point.similarity()), point, templates.size(), verdict);
  }

  private Match verify(String personId, float[] probe, OperatingPoint point, Verdict verdict) {
    point.check(templates.model());
    check(probe);
    int person = templates.indexOf(personId);
    float similarity = templates.similarity(person, probe);
    List<Candidate> found = new ArrayList<Candidate>(1);
    if (similarity >= point.similarity()) {
      found.add(new Candidate(personId, similarity));
    }
    return new Match(found, point, templates.templatesOf(person), verdict);
  }

  private static Match refused(OperatingPoint point, Verdict verdict) {
    return new Match(Collections.<Candidate>emptyList(), point, 0, verdict);
  }

  private void check(float[] probe) {
    GalleryException wrong = Entry.wrongWithTemplate(templates.model(), probe);
    if (wrong != null) {
      throw new EmbeddingException("match: " + wrong.getMessage());
    }
  }

  /** The `most` largest of `similarities` `[people]` that are at least `least`, largest first, of equal ones the first first. */
  private List<Candidate> best(float[] similarities, int most, double least) {
    if (most < 1) {
      throw new IllegalArgumentException("match: expected to be asked for at least 1 person, got " + most);
    }
    int[] order = new int[Math.min(most, similarities.length)];
    int count = 0;
    for (int person = 0; person < similarities.length; person++) {
      float similarity = similarities[person];
      boolean full = count == order.length;
      if (similarity < least || full && similarity <= similarities[order[count - 1]]) {
        continue;
      }
      int at = full ? count - 1 : count++;
      for (; at > 0 && similarities[order[at - 1]] < similarity; at--) {
        order[at] = order[at - 1];
      }
      order[at] = person;
    }
    List<Candidate> best = new ArrayList<Candidate>(count);
    for (int at = 0; at < count; at++) {
      best.add(new Candidate(templates.person(order[at]), similarities[order[at]]));
    }
    return best;
  }
}
