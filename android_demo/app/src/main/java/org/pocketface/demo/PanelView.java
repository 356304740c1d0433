package org.pocketface.demo;

import android.content.Context;
import android.util.AttributeSet;
import android.view.View;
import android.widget.ScrollView;

/** What stands below the camera's picture: as tall as it needs to be, but never so tall that large letters leave no picture. */
public final class PanelView extends ScrollView {
  private static final float MOST_OF_HEIGHT = 0.62f;

  /** As layouts make it. */
  public PanelView(Context context, AttributeSet attributes) {
    super(context, attributes);
  }

  @Override
  protected void onMeasure(int widthSpec, int heightSpec) {
    int most = Math.round(MOST_OF_HEIGHT * getResources().getDisplayMetrics().heightPixels);
    int available = View.MeasureSpec.getMode(heightSpec) == View.MeasureSpec.UNSPECIFIED ? most : View.MeasureSpec.getSize(heightSpec);
    super.onMeasure(widthSpec, View.MeasureSpec.makeMeasureSpec(Math.min(most, available), View.MeasureSpec.AT_MOST));
  }
}
