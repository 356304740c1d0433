package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.eclipsesource.json.JsonObject;
import java.io.IOException;
import java.util.List;
import org.junit.Assume;
import org.junit.Before;
import org.junit.Test;
import org.pocketface.sdk.gallery.OperatingPoint;
import org.pocketface.sdk.gallery.TemplateModel;
import org.pocketface.sdk.manifest.Level;
import org.pocketface.sdk.manifest.LevelSet;
import org.pocketface.sdk.manifest.Threshold;
import org.pocketface.sdk.manifest.Variant;

/** Levels of one net: chosen by name or by time, of one embedding space. (GoldenTest compares their embeddings with Python's.) */
public class LevelTest {
  private final Goldens goldens = Goldens.open();
  private Bundle bundle;
  private List<Pixels> crops;

  @Before
  public void findABundleWithLevels() throws IOException {
    for (JsonObject golden : goldens.bundles()) {
      Bundle found = goldens.bundle(golden);
      if (!found.manifest().levels.isEmpty()) {
        bundle = found;
        crops = goldens.crops(golden);
      }
    }
    Assume.assumeTrue("left out: none of the golden bundles has levels (tests/android/test_sdk.py has one that does)", bundle != null);
  }

  @Test
  public void aLevelByNameIsItsVariantAndEmbedsAsItDoes() {
    LevelSet levels = bundle.levels(null);
    assertEquals(bundle.defaultVariant(), levels.whole);
    for (Level level : levels.levels) {
      try (Recognizer named = Recognizer.atLevel(bundle, null, level.name, 1);
          Recognizer variant = new Recognizer(bundle, level.variant, 1)) {
        assertEquals(level.variant, named.variant().name);
        assertArrayEquals(variant.embedder().embed(crops.get(0)), named.embedder().embed(crops.get(0)), 0);
        assertTrue(Double.isNaN(named.milliseconds()));
      }
    }
    BundleException error =
        assertThrows(BundleException.Variant.class, () -> Recognizer.atLevel(bundle, null, "25", 1));
    assertTrue(error.getMessage(), error.getMessage().contains("100, 75, 50"));
  }

  @Test
  public void aBudgetTakesTheWidestThatIsFastEnough() throws IOException {
    try (Recognizer rich = Recognizer.within(bundle, null, 60_000, 1)) {
      assertEquals(bundle.levels(null).whole, rich.variant().name);
      assertTrue(rich.milliseconds() > 0);
    }
    BudgetException none = assertThrows(BudgetException.class, () -> Recognizer.within(bundle, null, 1e-9, 1));
    assertEquals("budget", none.code());
    for (Level level : bundle.levels(null).levels) {
      assertTrue(none.getMessage(), none.getMessage().contains(level.name + ": ")); // each was tried
    }
    assertThrows(BudgetException.class, () -> Recognizer.within(bundle, null, Double.NaN, 1));
    Bundle without = goldens.bundle(goldens.bundles().get(0));
    assertTrue(without.manifest().levels.isEmpty());
    assertThrows(BundleException.Variant.class, () -> Recognizer.within(without, null, Double.NaN, 1)); // as in Python: levels first
  }

  @Test
  public void templatesOfEveryLevelAreTheWholeNetsAndThresholdsHoldAcross() {
    LevelSet levels = bundle.levels(null);
    Variant whole = bundle.variant(levels.whole);
    for (Level level : levels.levels) {
      Variant variant = bundle.variant(level.variant);
      assertEquals(TemplateModel.of(whole), TemplateModel.of(bundle.templateVariant(variant)));
      List<Threshold> shared = bundle.sharedThresholds(variant);
      assertNotEquals("the bundle is calibrated", 0, shared.size());
      for (Threshold threshold : shared) {
        assertTrue(threshold.similarity >= Matching.thresholdAt(variant, threshold.fmr));
        assertEquals(threshold.similarity, OperatingPoint.atFmr(bundle, variant, threshold.fmr).similarity(), 0);
        assertEquals(threshold.similarity, OperatingPoint.atFpir(bundle, variant, threshold.fmr, 1).similarity(), 0);
      }
    }
  }
}
