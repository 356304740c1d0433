package org.pocketface.demo;

import android.media.Image;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.YuvFrame;

/** From an image of the camera to an upright frame. */
final class CameraImage {
  private CameraImage() {}

  /** Fills {@code frame} with {@code image}, a YUV_420_888, turned clockwise by {@code turn} degrees. */
  static void read(Image image, int turn, Frame frame, boolean front, long milliseconds) {
    Image.Plane[] planes = image.getPlanes();
    YuvFrame yuv = new YuvFrame(image.getHeight(), image.getWidth(), plane(planes[0]), plane(planes[1]), plane(planes[2]));
    Pixels pixels = frame.reuse(yuv.uprightHeight(turn), yuv.uprightWidth(turn), front, milliseconds);
    yuv.toUpright(turn, pixels);
  }

  private static YuvFrame.Plane plane(Image.Plane plane) {
    return new YuvFrame.Plane(plane.getBuffer(), plane.getRowStride(), plane.getPixelStride());
  }
}
