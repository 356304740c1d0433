package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.Test;
import org.pocketface.sdk.EmbeddingException;
import org.pocketface.sdk.ThresholdException;
import org.pocketface.sdk.liveness.LivenessCheck;
import org.pocketface.sdk.liveness.Verdict;

/** Matching against templates, 1:1 and 1:N. */
public final class MatcherTest {
  private static final TemplateModel MODEL = new TemplateModel(Samples.FIRST.sha256(), "int8", 131);

  private final Random random = new Random(7);

  private static String id(int person) {
    return "id " + person;
  }

  /** `count` templates of `people` people, who take turns. */
  private static Templates templates(List<float[]> vectors, int people) {
    List<String> owners = new ArrayList<>();
    for (int at = 0; at < vectors.size(); at++) {
      owners.add(id(at % people));
    }
    return Templates.of(MODEL, owners, vectors);
  }

  private static double cosine(float[] first, float[] second) {
    double sum = 0;
    for (int at = 0; at < first.length; at++) {
      sum += (double) first[at] * second[at];
    }
    return sum;
  }

  @Test
  public void aPersonIsAsSimilarAsTheirMostSimilarTemplate() {
    List<float[]> vectors = Samples.templates(random, MODEL, 300);
    float[] probe = Samples.template(random, MODEL);
    double[] best = new double[100];
    Arrays.fill(best, -1);
    for (int at = 0; at < 300; at++) {
      best[at % 100] = Math.max(best[at % 100], cosine(vectors.get(at), probe));
    }
    List<Candidate> found = new Matcher(templates(vectors, 100)).top(probe, 100);
    assertEquals(100, found.size());
    for (int at = 0; at < 100; at++) {
      int person = Integer.parseInt(found.get(at).personId().substring(3));
      // 131 products of numbers whose squares sum to 1, rounded and added in float32: 132 roundings of at most 6e-8.
      assertEquals(best[person], found.get(at).similarity(), 132 * 6e-8);
      assertTrue(at == 0 || found.get(at - 1).similarity() >= found.get(at).similarity());
    }
  }

  @Test
  public void galleriesOfEverySizeAreSearchedToTheLastTemplate() {
    // A search goes by blocks of 1024 templates, the last of which is shorter.
    for (int count : new int[] {1, 1023, 1024, 1025, 2500}) {
      List<float[]> vectors = Samples.templates(random, MODEL, count);
      Matcher matcher = new Matcher(templates(vectors, count));
      for (int row : new int[] {0, count / 2, count - 1}) {
        assertEquals(id(row), matcher.top(vectors.get(row), 1).get(0).personId());
        assertEquals(1, matcher.verify(id(row), vectors.get(row), OperatingPoint.atSimilarity(-1)).best().similarity(), 132 * 6e-8);
        assertArrayEquals(vectors.get(row), matcher.templates().template(row), 0f);
      }
    }
  }

  @Test
  public void theMostSimilarAreTheFirstOfAllInOrder() {
    Matcher matcher = new Matcher(templates(Samples.templates(random, MODEL, 200), 50));
    for (int round = 0; round < 50; round++) {
      float[] probe = Samples.template(random, MODEL);
      List<Candidate> all = matcher.top(probe, 1000);
      assertEquals(50, all.size());
      int most = 1 + random.nextInt(50);
      List<Candidate> few = matcher.top(probe, most);
      assertEquals(most, few.size());
      for (int at = 0; at < most; at++) {
        assertEquals(all.get(at).personId(), few.get(at).personId());
      }
    }
  }

  @Test
  public void ofEqualOnesTheFirstEnrolledIsFirst() {
    float[] same = Samples.template(random, MODEL);
    Matcher matcher = new Matcher(templates(Arrays.asList(same, same, same, same), 4));
    for (int most = 1; most <= 4; most++) {
      List<Candidate> found = matcher.top(same, most);
      for (int at = 0; at < most; at++) {
        assertEquals(id(at), found.get(at).personId());
      }
    }
  }

  @Test
  public void thresholdsDecideWhoIsFound() {
    float[] probe = Samples.template(random, MODEL);
    List<float[]> vectors = Samples.templates(random, MODEL, 40);
    vectors.add(probe);
    Matcher matcher = new Matcher(templates(vectors, 41));
    Match match = matcher.identify(probe, OperatingPoint.atSimilarity(0.99), 5);
    assertTrue(match.found());
    assertEquals(id(40), match.best().personId());
    assertEquals(1, match.candidates().size());
    assertEquals(41, match.comparisons());
    assertNull(match.liveness());
    assertFalse(matcher.identify(Samples.template(random, MODEL), OperatingPoint.atSimilarity(0.99), 5).found());
    assertEquals(5, matcher.identify(probe, OperatingPoint.atSimilarity(-1), 5).candidates().size());
    assertTrue("a cosine of float32 is cut to 1", match.best().similarity() <= 1);
  }

  @Test
  public void oneToOneLooksAtOnePersonAlone() {
    float[] probe = Samples.template(random, MODEL);
    List<float[]> vectors = new ArrayList<>(Samples.templates(random, MODEL, 5));
    vectors.add(probe);
    Matcher matcher = new Matcher(templates(vectors, 2));
    Match own = matcher.verify(id(1), probe, OperatingPoint.atSimilarity(0.9));
    assertTrue(own.found());
    assertEquals(3, own.comparisons());
    assertFalse(matcher.verify(id(0), probe, OperatingPoint.atSimilarity(0.9)).found());
    assertThrows(GalleryException.NoPerson.class, () -> matcher.verify(id(2), probe, OperatingPoint.atSimilarity(0.9)));
  }

  @Test
  public void nothingIsComparedUnlessTheFaceIsLive() {
    float[] probe = Samples.template(random, MODEL);
    Matcher matcher = new Matcher(templates(Collections.singletonList(probe), 1));
    OperatingPoint point = OperatingPoint.atSimilarity(0.5);
    LivenessCheck<CharSequence> check = frames -> frames.length() > 3 ? Verdict.ofLive() : Verdict.notLive("hold still");
    Match live = matcher.identify(probe, point, 1, check, "frames");
    assertTrue(live.found() && live.liveness().live());
    Match photograph = matcher.identify(probe, point, 1, check, "f");
    assertFalse(photograph.found());
    assertEquals("hold still", photograph.liveness().reason());
    assertEquals(0, photograph.comparisons());
    assertTrue(matcher.verify(id(0), probe, point, check, "frames").found());
    assertFalse(matcher.verify(id(0), probe, point, check, "f").found());
    IllegalStateException broken = new IllegalStateException("no frames");
    LivenessCheck<Object> failing =
        frames -> {
          throw broken;
        };
    assertSame(broken, assertThrows(IllegalStateException.class, () -> matcher.identify(probe, point, 1, failing, "frames")));
  }

  @Test
  public void whatIsNoEmbeddingIsRefused() {
    Matcher matcher = new Matcher(templates(Samples.templates(random, MODEL, 3), 3));
    float[] bad = Samples.template(random, MODEL);
    bad[130] = Float.NaN;
    assertThrows(EmbeddingException.class, () -> matcher.top(bad, 1));
    assertThrows(EmbeddingException.class, () -> matcher.top(new float[131], 1));
    assertThrows(EmbeddingException.class, () -> matcher.top(new float[] {1}, 1));
    assertThrows(IllegalArgumentException.class, () -> matcher.top(Samples.template(random, MODEL), 0));
    matcher.templates().close();
    assertThrows(GalleryException.Closed.class, () -> matcher.top(Samples.template(random, MODEL), 1));
  }

  @Test
  public void anEmptyGalleryFindsNobody() {
    Matcher matcher = new Matcher(templates(Collections.<float[]>emptyList(), 1));
    Match match = matcher.identify(Samples.template(random, MODEL), OperatingPoint.atSimilarity(-1), 3);
    assertFalse(match.found());
    assertNull(match.best());
  }

  @Test
  public void aRateOverManyTemplatesNeedsASmallerOneForEach() {
    double[] rates = {1e-2, 1e-3, 1e-4};
    assertEquals("1e-2 for one", 0, OperatingPoint.atFpir("int8", rates, 0.01, 1));
    assertEquals("1e-2 over 10 is 1e-3", 1, OperatingPoint.atFpir("int8", rates, 0.01, 10));
    assertEquals("11 need less", 2, OperatingPoint.atFpir("int8", rates, 0.01, 11));
    assertEquals(2, OperatingPoint.atFpir("int8", rates, 0.01, 100));
    ThresholdException beyond = assertThrows(ThresholdException.class, () -> OperatingPoint.atFpir("int8", rates, 0.01, 101));
    assertTrue(beyond.getMessage(), beyond.getMessage().contains("reaches 100 templates"));
    ThresholdException none = assertThrows(ThresholdException.class, () -> OperatingPoint.atFpir("int8", new double[0], 0.01, 1));
    assertTrue(none.getMessage(), none.getMessage().endsWith("has none at all; make some by `toolchain calibrate`"));
    for (double rate : new double[] {0, -1, 1.5, Double.NaN}) {
      assertThrows(ThresholdException.class, () -> OperatingPoint.atFpir("int8", rates, rate, 1));
    }
    assertThrows(ThresholdException.class, () -> OperatingPoint.atSimilarity(1.1));
    assertThrows(ThresholdException.class, () -> OperatingPoint.atSimilarity(Double.NaN));
  }

  @Test
  public void theBoundOnARateIsKeptByDrawnStrangers() {
    // Templates and strangers are drawn evenly from a sphere, so the rate of one comparison at a threshold can be counted.
    TemplateModel model = new TemplateModel(Samples.FIRST.sha256(), "int8", 8);
    List<float[]> vectors = Samples.templates(random, model, 50);
    List<String> owners = new ArrayList<>();
    for (int at = 0; at < 50; at++) {
      owners.add(id(at));
    }
    Matcher matcher = new Matcher(Templates.of(model, owners, vectors));
    int matches = 0;
    int found = 0;
    for (int stranger = 0; stranger < 2000; stranger++) {
      Match match = matcher.identify(Samples.template(random, model), OperatingPoint.atSimilarity(0.8), 50);
      matches += match.candidates().size();
      found += match.found() ? 1 : 0;
    }
    double fmr = matches / (2000.0 * 50);
    assertTrue("some match: " + found, found > 100);
    assertTrue(found / 2000.0 + " of at most " + 50 * fmr, found / 2000.0 <= 50 * fmr);
  }
}
