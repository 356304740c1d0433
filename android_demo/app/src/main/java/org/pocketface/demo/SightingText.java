package org.pocketface.demo;

import android.content.Context;
import java.util.ArrayList;
import java.util.List;

/** What a sighting says to people: beside the picture, and on it. */
final class SightingText {
  private final Context context;
  private final double threshold;

  /** {@code threshold} is the similarity from which a face is given a name; NaN where none is known: then none is. */
  SightingText(Context context, double threshold) {
    this.context = context;
    this.threshold = threshold;
  }

  /** Who is seen. It changes only when that does, so that TalkBack does not say it at every frame. */
  String status(Sighting sighting) {
    List<SeenFace> faces = sighting.faces();
    if (faces.isEmpty()) {
      return context.getString(R.string.looking);
    }
    if (faces.size() > 1) {
      return context.getResources().getQuantityString(R.plurals.several, faces.size(), faces.size());
    }
    return name(faces.get(0));
  }

  /** Figures, and what to do. */
  String detail(Sighting sighting) {
    List<SeenFace> faces = sighting.faces();
    if (faces.isEmpty()) {
      return context.getString(R.string.looking_detail);
    }
    return (faces.size() > 1 ? named(faces) : figures(faces.get(0))) + "\n"
        + context.getString(R.string.step_times, sighting.findMilliseconds(), sighting.embedMilliseconds(), sighting.matchMilliseconds());
  }

  /** A label for each face. */
  List<PreviewView.Label> labels(Sighting sighting) {
    List<PreviewView.Label> labels = new ArrayList<PreviewView.Label>();
    for (SeenFace face : sighting.faces()) {
      boolean poor = face.quality().flaw() != null;
      int color = face.match(threshold) != null ? R.color.box_known : poor ? R.color.box_poor : R.color.box_unknown;
      String quality = context.getString(R.string.label_quality, percent(face));
      labels.add(new PreviewView.Label(face.box(), label(face), quality, context.getColor(color)));
    }
    return labels;
  }

  /** A label for each face that says how good its picture is, and not whose it is: for somebody who is being enrolled. */
  List<PreviewView.Label> qualityLabels(Sighting sighting) {
    List<PreviewView.Label> labels = new ArrayList<PreviewView.Label>();
    for (SeenFace face : sighting.faces()) {
      int color = face.quality().flaw() != null ? R.color.box_poor : R.color.box_known;
      labels.add(new PreviewView.Label(face.box(), context.getString(R.string.label_quality, percent(face)), "", context.getColor(color)));
    }
    return labels;
  }

  private String named(List<SeenFace> faces) {
    StringBuilder names = new StringBuilder();
    for (SeenFace face : faces) {
      Nearest match = face.match(threshold);
      if (match != null) {
        names.append(names.length() == 0 ? "" : ", ").append(match.name());
      }
    }
    return names.length() == 0 ? context.getString(R.string.several_none) : context.getString(R.string.several_detail, names);
  }

  private String name(SeenFace face) {
    Nearest match = face.match(threshold);
    if (match != null) {
      return match.name();
    }
    return context.getString(Double.isNaN(threshold) ? R.string.unnamed : R.string.unknown);
  }

  private String figures(SeenFace face) {
    Quality.Flaw flaw = face.quality().flaw();
    String quality = flaw == null
        ? context.getString(R.string.quality_only, percent(face))
        : context.getString(R.string.quality_flaw, percent(face), context.getString(FlawText.of(flaw)));
    return face.nearest() == null ? quality : context.getString(R.string.similarity_quality, face.nearest().similarity(), quality);
  }

  private String label(SeenFace face) {
    Nearest nearest = face.nearest();
    if (face.match(threshold) != null) {
      return context.getString(R.string.label_known, nearest.name(), nearest.similarity());
    }
    if (nearest != null && Double.isNaN(threshold)) {
      return context.getString(R.string.label_nearest, nearest.name(), nearest.similarity());
    }
    return context.getString(R.string.label_unknown);
  }

  private static int percent(SeenFace face) {
    return (int) Math.round(100 * face.quality().score());
  }
}
