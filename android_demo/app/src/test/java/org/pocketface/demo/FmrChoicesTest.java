package org.pocketface.demo;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public final class FmrChoicesTest {
  @Test
  public void aRateIsSaidAsOneOfSoManyToTwoDigits() {
    assertEquals(1000, FmrChoices.oneOf(0.001));
    assertEquals(100_000, FmrChoices.oneOf(1e-5));
    assertEquals(330, FmrChoices.oneOf(0.003));
    assertEquals(67, FmrChoices.oneOf(0.015));
    assertEquals(3, FmrChoices.oneOf(0.3));
    assertEquals(1, FmrChoices.oneOf(1));
  }
}
