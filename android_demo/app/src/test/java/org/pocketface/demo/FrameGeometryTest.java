package org.pocketface.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;

import java.util.Arrays;
import java.util.Collections;
import org.junit.Test;

public final class FrameGeometryTest {
  @Test
  public void aFrontCamerasFrameTurnsWithThePhoneAndABackCamerasAgainstIt() {
    // The usual sensors: 270 at the front, 90 at the back. In its natural position each frame turns by just that.
    assertEquals(270, FrameGeometry.turn(270, 0, true));
    assertEquals(90, FrameGeometry.turn(90, 0, false));
    // On its left side (the display turned by 90) frames of both lie as people see them, so both sums are 0.
    assertEquals(0, FrameGeometry.turn(270, 90, true));
    assertEquals(0, FrameGeometry.turn(90, 90, false));
    assertEquals(90, FrameGeometry.turn(270, 180, true));
    assertEquals(270, FrameGeometry.turn(90, 180, false));
    assertEquals(180, FrameGeometry.turn(270, 270, true));
    assertEquals(180, FrameGeometry.turn(90, 270, false));
  }

  @Test
  public void aFrameFillsAViewAndIsCentred() {
    // 480 x 640 in 720 x 1280: twice as large fills the height; 960 wide, so 120 stick out at each side.
    FrameGeometry geometry = FrameGeometry.filling(480, 640, 720, 1280, false);
    assertEquals(2, geometry.scale(), 0);
    assertEquals(-120, geometry.viewX(-0.5), 0);
    assertEquals(840, geometry.viewX(479.5), 0);
    assertEquals(0, geometry.viewY(-0.5), 0);
    assertEquals(1280, geometry.viewY(639.5), 0);
    // And where the view is the wider one, twice as large fills the width; 1280 high, so 140 stick out at the top.
    assertEquals(-140, FrameGeometry.filling(480, 640, 960, 1000, false).viewY(-0.5), 0);
  }

  @Test
  public void aMirroredFrameShowsLeftAtTheRightAndBoxesWithIt() {
    FrameGeometry geometry = FrameGeometry.filling(480, 640, 480, 640, true);
    assertEquals(479.5, geometry.viewX(0), 0);
    assertEquals(0.5, geometry.viewX(479), 0);
    assertEquals(10.5, geometry.viewY(10), 0);
    assertArrayEquals(new float[] {379.5f, 20.5f, 469.5f, 220.5f}, geometry.viewBox(new double[] {10, 20, 100, 220}), 0);
  }

  @Test
  public void thePictureAndTheBoxesOnItAreMappedAlike() {
    for (boolean mirrored : new boolean[] {false, true}) {
      FrameGeometry geometry = FrameGeometry.filling(480, 640, 720, 1000, mirrored);
      float[] m = geometry.matrix();
      // The matrix takes corners, so pixel (3, 7) has its centre at (3.5, 7.5).
      assertEquals(geometry.viewX(3), m[0] * 3.5f + m[1] * 7.5f + m[2], 1e-3);
      assertEquals(geometry.viewY(7), m[3] * 3.5f + m[4] * 7.5f + m[5], 1e-3);
    }
  }

  @Test
  public void theSizeNearestTo640By480IsChosen() {
    int[] wanted = {640, 480};
    assertArrayEquals(wanted, FrameGeometry.choose(Arrays.asList(new int[] {1920, 1080}, wanted, new int[] {320, 240})));
    // As many pixels: 4:3 is nearer than 1:1.
    assertArrayEquals(wanted, FrameGeometry.choose(Arrays.asList(new int[] {480, 640}, wanted)));
    assertNull(FrameGeometry.choose(Collections.<int[]>emptyList()));
  }
}
