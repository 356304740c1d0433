package org.pocketface.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Locale;
import org.junit.Test;

public final class SelfTestReportTest {
  private final SelfTestReport report = new SelfTestReport();

  @Test
  public void theWholeTextIsAsDocumented() {
    report.put("time", "2026-01-31T23:59:59Z").put("cpus", 8).check("embed int8", true, "cosine at least 1.0");
    report.check("embed fp32", false, "got\nNaN; stop").put("variant.fp16.v2.min-cosine", 0.98765432, 6);
    assertEquals(
        "pocketface-selftest: 1\n"
            + "time: 2026-01-31T23:59:59Z\n"
            + "cpus: 8\n"
            + "check.1: pass; embed int8; cosine at least 1.0\n"
            + "check.2: fail; embed fp32; got NaN; stop\n"
            + "variant.fp16.v2.min-cosine: 0.987654\n"
            + "checks: 2\n"
            + "failed: 1\n"
            + "result: fail\n"
            + "end: 9\n",
        report.text());
  }

  @Test
  public void numbersAreTheSameInEveryLanguageOfThePhone() {
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
    try {
      Timing timing = new Timing();
      timing.add(1_500_000);
      report.put("step.detect", timing).put("bound", Double.NaN, 3).put("x", -0.25, 2);
      assertTrue(report.text().contains("step.detect.ms: 1.500\nstep.detect.ms-p90: 1.500\nstep.detect.runs: 1\nbound: nan\nx: -0.25\n"));
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  public void withoutAnyCheckItDidNotPass() {
    assertFalse(report.passed());
    report.check("tensor", true, "");
    assertTrue(report.passed());
  }

  @Test
  public void aKeyIsStatedOnceAndInTheCharactersThatAReaderKnows() {
    report.put("a", "1");
    assertThrows(IllegalStateException.class, () -> report.put("a", "2"));
    assertThrows(IllegalArgumentException.class, () -> report.put("a b", "2"));
    assertThrows(IllegalArgumentException.class, () -> report.put("", "2"));
  }

  @Test
  public void whatIsReadIsWhatWasWritten() {
    report.check("embed a.b", false, "too far: 0.5").check("detect", true, "fine");
    report.put("variant.a.b.result", "fail").put("variant.c.result", "pass").put("step.yuv.ms", 1.25, 3).put("step.yuv.ms-p90", 2, 3);
    SelfTestResult result = new SelfTestResult(report.text());
    assertEquals(Arrays.asList("a.b", "c"), result.variants());
    assertEquals(Arrays.asList("yuv"), result.steps());
    assertEquals(2, result.checks());
    assertEquals(1, result.failed());
    assertEquals("embed a.b: too far: 0.5", result.failures());
    assertEquals(report.text(), result.text());
  }

  @Test
  public void percentilesAreRunsThatWereTimed() {
    Timing timing = new Timing();
    assertTrue(Double.isNaN(timing.percentile(50)));
    for (int run = 20; run >= 1; run--) {
      timing.add(run * 1_000_000L);
    }
    assertEquals(10, timing.percentile(50), 0);
    assertEquals(18, timing.percentile(90), 0);
    assertEquals(20, timing.percentile(100), 0);
  }
}
