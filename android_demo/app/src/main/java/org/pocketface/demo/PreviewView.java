package org.pocketface.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.view.View;
import java.util.Collections;
import java.util.List;
import org.pocketface.sdk.Pixels;

/** Shows the camera's frames as a mirror would where the camera looks at the user, and labelled boxes on them. */
public final class PreviewView extends View {
  /** A face's box and what stands on it. */
  static final class Label {
    final double[] box;
    final String text;
    final String secondText;
    final int color;

    /**
     * @param box left, top, right, bottom, in pixels of the frame
     * @param secondText what stands in a line of its own below; empty: nothing does
     * @param color of the box, ARGB
     */
    Label(double[] box, String text, String secondText, int color) {
      this.box = box;
      this.text = text;
      this.secondText = secondText;
      this.color = color;
    }
  }

  private final Paint picture = new Paint(Paint.FILTER_BITMAP_FLAG);
  private final Paint stroke = new Paint(Paint.ANTI_ALIAS_FLAG);
  private final Paint plate = new Paint(Paint.ANTI_ALIAS_FLAG);
  private final Paint letters = new Paint(Paint.ANTI_ALIAS_FLAG);
  private final Matrix matrix = new Matrix();
  private final float gap;
  private final float corner;
  private final float textSize;

  private Bitmap bitmap;
  private int[] line = new int[0];
  private boolean mirrored;
  private List<Label> labels = Collections.emptyList();

  /** As layouts make it. */
  public PreviewView(Context context, AttributeSet attributes) {
    super(context, attributes);
    gap = getResources().getDimension(R.dimen.space_small);
    corner = gap / 2;
    stroke.setStyle(Paint.Style.STROKE);
    stroke.setStrokeWidth(getResources().getDimension(R.dimen.box_stroke));
    plate.setColor(context.getColor(R.color.label_background));
    textSize = getResources().getDimension(R.dimen.label_text);
  }

  /** Shows {@code frame}, which may change as soon as this returns. Any thread. */
  void show(Frame frame) {
    Pixels pixels = frame.pixels();
    synchronized (this) {
      if (bitmap == null || bitmap.getWidth() != pixels.width() || bitmap.getHeight() != pixels.height()) {
        bitmap = Bitmap.createBitmap(pixels.width(), pixels.height(), Bitmap.Config.ARGB_8888);
        line = new int[pixels.width()];
      }
      mirrored = frame.front();
      byte[] rgb = pixels.rgb();
      for (int row = 0, at = 0; row < pixels.height(); row++) {
        for (int column = 0; column < line.length; column++, at += 3) {
          line[column] = 0xff000000 | (rgb[at] & 255) << 16 | (rgb[at + 1] & 255) << 8 | rgb[at + 2] & 255;
        }
        bitmap.setPixels(line, 0, line.length, 0, row, line.length, 1);
      }
    }
    postInvalidate();
  }

  /** Puts these labels in place of those before. */
  void setLabels(List<Label> labels) {
    this.labels = labels;
    invalidate();
  }

  /** Shows neither frame nor label. */
  void clear() {
    synchronized (this) {
      bitmap = null;
    }
    setLabels(Collections.<Label>emptyList());
  }

  @Override
  protected void onDraw(Canvas canvas) {
    super.onDraw(canvas);
    FrameGeometry geometry;
    synchronized (this) {
      if (bitmap == null) {
        return;
      }
      geometry = FrameGeometry.filling(bitmap.getWidth(), bitmap.getHeight(), getWidth(), getHeight(), mirrored);
      matrix.setValues(geometry.matrix());
      canvas.drawBitmap(bitmap, matrix, picture);
    }
    for (Label label : labels) {
      draw(canvas, label, geometry.viewBox(label.box));
    }
  }

  private void draw(Canvas canvas, Label label, float[] box) {
    stroke.setColor(label.color);
    canvas.drawRoundRect(new RectF(box[0], box[1], box[2], box[3]), corner, corner, stroke);
    letters.setColor(label.color);
    // Large letters shrink to each label's share of the width, lest one hides another; beside the picture they stand at full size.
    letters.setTextSize(textSize);
    float share = getWidth() / (float) labels.size();
    letters.setTextSize(textSize * Math.min(1, (share - 2 * gap) / (width(label) - 2 * gap)));
    float lineHeight = letters.getFontSpacing();
    float width = width(label);
    int lines = label.secondText.isEmpty() ? 1 : 2;
    float height = lines * lineHeight + gap;
    // Below the box, or, where that is out of sight, within its lower edge; and never out of sight to a side.
    float top = Math.max(0, Math.min(box[3] + gap / 2, getHeight() - height));
    float left = Math.max(0, Math.min((box[0] + box[2] - width) / 2, getWidth() - width));
    canvas.drawRoundRect(new RectF(left, top, left + width, top + height), corner, corner, plate);
    float baseline = top + gap / 2 - letters.ascent();
    canvas.drawText(label.text, left + gap, baseline, letters);
    canvas.drawText(label.secondText, left + gap, baseline + lineHeight, letters);
  }

  /** Of a label's plate, at the letters' present size. */
  private float width(Label label) {
    return Math.max(letters.measureText(label.text), letters.measureText(label.secondText)) + 2 * gap;
  }
}
