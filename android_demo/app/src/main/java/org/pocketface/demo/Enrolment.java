package org.pocketface.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * How somebody is enrolled, step by step: consent, a name, several pictures that are good enough and of one face, whether that face is
 * enrolled already, and storing. Knows neither camera nor screen. Not safe for use by several threads at once.
 */
public final class Enrolment {
  /** Pictures that are taken: a template each. */
  public static final int PICTURES = 5;
  /** Between two pictures, so that they differ. */
  public static final long PAUSE_MILLISECONDS = 500;

  /** Where it stands. */
  public enum Step {
    CONSENT,
    NAME,
    CAPTURE,
    DUPLICATE,
    STORE,
    DONE,
    CANCELLED
  }

  /** What the last frame was good for. */
  public enum Hint {
    START,
    NO_FACE,
    SEVERAL_FACES,
    POOR,
    OTHER_FACE,
    TAKEN,
    WAIT
  }

  private final double threshold;
  private final List<float[]> templates = new ArrayList<float[]>();
  private Step step = Step.CONSENT;
  private Hint hint = Hint.START;
  private Quality.Flaw flaw;
  private String name;
  private String personId;
  private boolean replaces;
  private Nearest duplicate;
  private long lastTaken;

  /** {@code threshold} is the similarity from which two faces are taken for one person's; NaN where none is known: then that is not checked. */
  public Enrolment(double threshold) {
    this.threshold = threshold;
  }

  /** Enrols somebody again who is known by {@code personId}: no name is asked, and the templates take the place of the old ones. */
  public static Enrolment again(double threshold, String personId, String name) {
    Enrolment enrolment = new Enrolment(threshold);
    enrolment.personId = personId;
    enrolment.name = name;
    enrolment.replaces = true;
    return enrolment;
  }

  /** Where it stands. */
  public Step step() {
    return step;
  }

  /** What the last frame was good for. */
  public Hint hint() {
    return hint;
  }

  /** What was wrong with the last frame where the hint is POOR, otherwise null. */
  public Quality.Flaw flaw() {
    return flaw;
  }

  /** The name; null before it was given. */
  public String name() {
    return name;
  }

  /** Whose templates these become; null where somebody new is enrolled. */
  public String personId() {
    return personId;
  }

  /** Whether the templates take the place of those that the person has. */
  public boolean replaces() {
    return replaces;
  }

  /** Whether there is a threshold to tell one person from another by. */
  public boolean checks() {
    return !Double.isNaN(threshold);
  }

  /** The templates so far, each of length 1. */
  public List<float[]> templates() {
    return Collections.unmodifiableList(templates);
  }

  /** Who has this face already; null where nobody has, or it was not looked for yet. */
  public Nearest duplicate() {
    return duplicate;
  }

  /** The person agrees. Without this nothing goes on. */
  public void agree() {
    expect(Step.CONSENT);
    step = personId == null ? Step.NAME : Step.CAPTURE;
  }

  /** Gives the name, which is not empty. */
  public void name(String given) {
    expect(Step.NAME);
    if (given.trim().isEmpty()) {
      throw new IllegalArgumentException("enrolment: expected a name, got none");
    }
    name = given.trim();
    step = templates.isEmpty() ? Step.CAPTURE : Step.STORE;
  }

  /** The name was refused: another one is asked for, and the pictures are kept. */
  public void renameFirst() {
    expect(Step.STORE);
    step = Step.NAME;
  }

  /** Looks at what a frame showed, and takes a template where it is good. Does nothing at any other step. */
  public void look(Sighting sighting) {
    if (step != Step.CAPTURE) {
      return;
    }
    flaw = null;
    hint = judge(sighting);
    if (hint != Hint.TAKEN) {
      return;
    }
    SeenFace face = sighting.faces().get(0);
    templates.add(face.embedding());
    lastTaken = sighting.milliseconds();
    Nearest match = face.match(threshold);
    if (match != null && !match.id().equals(personId) && (duplicate == null || match.similarity() > duplicate.similarity())) {
      duplicate = match;
    }
    if (templates.size() == PICTURES) {
      step = duplicate == null ? Step.STORE : Step.DUPLICATE;
    }
  }

  private Hint judge(Sighting sighting) {
    if (sighting.faces().isEmpty()) {
      return Hint.NO_FACE;
    }
    if (sighting.faces().size() > 1) {
      return Hint.SEVERAL_FACES;
    }
    SeenFace face = sighting.faces().get(0);
    flaw = face.quality().flaw();
    if (flaw != null) {
      return Hint.POOR;
    }
    if (templates.isEmpty()) {
      return Hint.TAKEN;
    }
    if (checks() && similarity(templates.get(0), face.embedding()) < threshold) {
      return Hint.OTHER_FACE;
    }
    return sighting.milliseconds() - lastTaken < PAUSE_MILLISECONDS ? Hint.WAIT : Hint.TAKEN;
  }

  /** The face is that of {@link #duplicate}: the templates are added to theirs. */
  public void samePerson() {
    expect(Step.DUPLICATE);
    personId = duplicate.id();
    name = duplicate.name();
    replaces = false;
    step = Step.STORE;
  }

  /** The face is like that of {@link #duplicate}, and another person's all the same. */
  public void otherPerson() {
    expect(Step.DUPLICATE);
    step = Step.STORE;
  }

  /** The templates were stored. They are forgotten here. */
  public void stored() {
    expect(Step.STORE);
    step = Step.DONE;
    forget();
  }

  /** Nothing is to be stored. The templates are forgotten here. */
  public void cancel() {
    step = Step.CANCELLED;
    forget();
  }

  private void forget() {
    for (float[] template : templates) {
      Arrays.fill(template, 0);
    }
    templates.clear();
  }

  private void expect(Step expected) {
    if (step != expected) {
      throw new IllegalStateException("enrolment: expected to be at " + expected + ", is at " + step);
    }
  }

  /** Cosine of two embeddings of length 1. */
  private static double similarity(float[] first, float[] second) {
    double sum = 0;
    for (int at = 0; at < first.length; at++) {
      sum += (double) first[at] * second[at];
    }
    return sum;
  }
}
