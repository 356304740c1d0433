package org.pocketface.demo;

import android.annotation.SuppressLint;
import android.content.Context;
import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.os.SystemClock;
import android.util.Size;
import android.view.Surface;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.pocketface.sdk.PocketFaceException;

/**
 * A camera's frames, upright, on a thread of its own. The camera that looks at the user is taken where there is one, otherwise the first.
 * Started and stopped on the main thread; a stopped one is not started again.
 */
final class CameraFrames implements ImageReader.OnImageAvailableListener {
  /** Where frames go. */
  interface Listener {
    /** A frame to fill and to give back by {@link #filled}. Called on the camera's thread. */
    Frame toFill();

    /** The frame is filled. Called on the camera's thread. */
    void filled(Frame frame);

    /** {@code camera} gives no more frames: {@code why} is for people. Called on the camera's thread or where {@link #start} was called. */
    void failed(CameraFrames camera, String why);

    /** There is no camera. Called where {@link #start} was called. */
    void noCamera();
  }

  /** Two: one that is read, one that the camera fills. */
  private static final int IMAGES = 2;

  private final CameraManager manager;
  private final Listener listener;
  private final HandlerThread thread = new HandlerThread("camera");
  private Handler handler;
  private ImageReader reader;
  private Surface surface;
  private CameraDevice device;
  private boolean front;
  private int turn;
  private boolean stopped;

  CameraFrames(Context context, Listener listener) {
    manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
    this.listener = listener;
  }

  /** Opens the camera. {@code displayDegrees} is the display's rotation. The permission is granted; where it is not after all, that is a failure. */
  @SuppressLint("MissingPermission")
  void start(int displayDegrees) {
    try {
      String id = chooseCamera();
      if (id == null) {
        listener.noCamera();
        return;
      }
      CameraCharacteristics characteristics = manager.getCameraCharacteristics(id);
      Integer sensor = characteristics.get(CameraCharacteristics.SENSOR_ORIENTATION);
      turn = FrameGeometry.turn(sensor == null ? 0 : sensor, displayDegrees, front);
      int[] size = FrameGeometry.choose(sizes(characteristics));
      thread.start();
      handler = new Handler(thread.getLooper());
      reader = ImageReader.newInstance(size[0], size[1], ImageFormat.YUV_420_888, IMAGES);
      surface = reader.getSurface();
      reader.setOnImageAvailableListener(this, handler);
      manager.openCamera(id, new DeviceEvents(), handler);
    } catch (CameraAccessException error) {
      fail(error.getMessage());
    } catch (SecurityException error) {
      fail(error.getMessage());
    } catch (IllegalArgumentException error) {
      fail(error.getMessage()); // the camera was taken off meanwhile
    }
  }

  /** Lets the camera go; after that no frame comes. */
  synchronized void stop() {
    stopped = true;
    if (device != null) {
      device.close();
      device = null;
    }
    if (reader != null) {
      reader.close();
      reader = null;
    }
    thread.quitSafely();
  }

  @Override
  public synchronized void onImageAvailable(ImageReader source) {
    Image image = stopped ? null : source.acquireLatestImage();
    if (image == null) {
      return;
    }
    try {
      Frame frame = listener.toFill();
      CameraImage.read(image, turn, frame, front, SystemClock.elapsedRealtime());
      listener.filled(frame);
    } catch (PocketFaceException error) {
      fail(error.getMessage()); // planes that are not as Android promises
    } finally {
      image.close();
    }
  }

  private String chooseCamera() throws CameraAccessException {
    String first = null;
    for (String id : manager.getCameraIdList()) {
      Integer facing = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
      if (facing != null && facing == CameraCharacteristics.LENS_FACING_FRONT) {
        front = true;
        return id;
      }
      first = first == null ? id : first;
    }
    return first;
  }

  /** The sizes of YUV frames; where a camera states none, the one that every camera has. */
  private static List<int[]> sizes(CameraCharacteristics characteristics) {
    List<int[]> sizes = new ArrayList<int[]>();
    StreamConfigurationMap map = characteristics.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
    Size[] stated = map == null ? null : map.getOutputSizes(ImageFormat.YUV_420_888);
    if (stated != null) {
      for (Size size : stated) {
        sizes.add(new int[] {size.getWidth(), size.getHeight()});
      }
    }
    return sizes.isEmpty() ? Collections.singletonList(new int[] {640, 480}) : sizes;
  }

  /** Once; what goes wrong because it was stopped is no failure. */
  private void fail(String why) {
    synchronized (this) {
      if (stopped) {
        return;
      }
      stop();
    }
    listener.failed(this, why);
  }

  /** Whether {@code opened} is still wanted; where it is not, it is closed. */
  private synchronized boolean adopt(CameraDevice opened) {
    if (stopped) {
      opened.close();
      return false;
    }
    device = opened;
    return true;
  }

  private final class DeviceEvents extends CameraDevice.StateCallback {
    @Override
    @SuppressWarnings("deprecation") // its successor is there from API 28 on
    public void onOpened(CameraDevice opened) {
      if (!adopt(opened)) {
        return;
      }
      try {
        opened.createCaptureSession(Collections.singletonList(surface), new SessionEvents(opened), handler);
      } catch (CameraAccessException error) {
        fail(error.getMessage());
      } catch (IllegalStateException error) {
        fail(error.getMessage()); // it was closed meanwhile
      } catch (IllegalArgumentException error) {
        fail(error.getMessage()); // the surface was given up meanwhile
      }
    }

    @Override
    public void onDisconnected(CameraDevice gone) {
      gone.close();
      fail("disconnected");
    }

    @Override
    public void onError(CameraDevice broken, int error) {
      broken.close();
      fail("error " + error);
    }
  }

  private final class SessionEvents extends CameraCaptureSession.StateCallback {
    private final CameraDevice opened;

    SessionEvents(CameraDevice opened) {
      this.opened = opened;
    }

    @Override
    public void onConfigured(CameraCaptureSession session) {
      try {
        CaptureRequest.Builder request = opened.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
        request.addTarget(surface);
        session.setRepeatingRequest(request.build(), null, handler);
      } catch (CameraAccessException error) {
        fail(error.getMessage());
      } catch (IllegalStateException error) {
        fail(error.getMessage()); // it was closed meanwhile
      } catch (IllegalArgumentException error) {
        fail(error.getMessage()); // the surface was given up meanwhile
      }
    }

    @Override
    public void onConfigureFailed(CameraCaptureSession session) {
      fail("its frames cannot be had");
    }
  }
}
