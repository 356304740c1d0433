package org.pocketface.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.Face;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.Recognizer;
import org.pocketface.sdk.gallery.Candidate;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.Matcher;
import org.pocketface.sdk.gallery.Person;
import org.pocketface.sdk.gallery.TemplateModel;
import org.pocketface.sdk.gallery.Templates;
import org.pocketface.sdk.manifest.DetectorSettings;
import org.pocketface.sdk.manifest.Template;
import org.pocketface.sdk.manifest.TemplatePoint;
import org.pocketface.sdk.manifest.Threshold;
import org.pocketface.sdk.manifest.Variant;

/**
 * The model and who is enrolled: what a frame shows, and who it is. {@link #look} and {@link #galleryChanged} take milliseconds and are
 * called on the background thread, which is one; the others anywhere.
 */
public final class Recognition {
  /** Faces of a frame that are looked at closely, largest first: more do not fit on a phone's screen with their labels. */
  static final int MOST_FACES = 5;

  private static final double NANOSECONDS_PER_MILLISECOND = 1e6;

  private final Recognizer recognizer;
  private final Gallery gallery;
  private final TemplateModel model;
  private final int[] points;
  private final double cropEyeDistance;

  private volatile Matcher matcher;
  private Map<String, String> names;

  /**
   * Takes both over; where it throws, the gallery is the caller's to close.
   *
   * @throws org.pocketface.sdk.PocketFaceException where the bundle's default variant cannot be run, the bundle has no detector, or the
   *     gallery cannot be read
   */
  public Recognition(Bundle bundle, Gallery gallery) {
    recognizer = new Recognizer(bundle, null, 1);
    this.gallery = gallery;
    boolean made = false;
    try {
      recognizer.finder(); // without a detector nothing here can work: better now than at the first frame
      model = TemplateModel.of(bundle.templateVariant(recognizer.variant()));
      DetectorSettings detector = bundle.manifest().detector;
      points = new int[] {
        detector.keyPoints.indexOf("left-eye"), detector.keyPoints.indexOf("right-eye"), detector.keyPoints.indexOf("nose"),
        detector.keyPoints.indexOf("mouth")
      };
      cropEyeDistance = eyeDistance(bundle, detector.template);
      galleryChanged();
      made = true;
    } finally {
      if (!made) {
        recognizer.close();
      }
    }
  }

  /** The bundle. */
  public Bundle bundle() {
    return recognizer.bundle();
  }

  /** The variant that recognises: the bundle's default one. */
  public Variant variant() {
    return recognizer.variant();
  }

  /** Who is enrolled. After a change call {@link #galleryChanged}. */
  public Gallery gallery() {
    return gallery;
  }

  /** The thresholds for comparisons of what it sees with whatever is kept as this model's templates. */
  public List<Threshold> thresholds() {
    return bundle().sharedThresholds(variant());
  }

  /** What templates of this model say of themselves; those of every level of one net are kept as the whole net's. */
  public TemplateModel model() {
    return model;
  }

  /** How many templates a face is compared with. */
  public int templates() {
    return matcher.templates().size();
  }

  /**
   * Reads the templates anew. Where that fails nobody is recognised any more: of those who were, some may be deleted.
   *
   * @throws org.pocketface.sdk.gallery.GalleryException where the gallery cannot be read
   */
  public void galleryChanged() {
    Map<String, String> read = new HashMap<String, String>();
    Templates templates = Templates.of(model, Collections.<String>emptyList(), Collections.<float[]>emptyList());
    try {
      for (Person person : gallery.people()) {
        read.put(person.id(), person.name());
      }
      templates = gallery.templatesFor(model);
    } finally {
      if (matcher != null) {
        matcher.templates().close();
      }
      matcher = new Matcher(templates);
      names = read;
    }
  }

  /**
   * Finds the faces of a frame, judges their pictures, embeds them and looks who is most like each.
   *
   * @throws org.pocketface.sdk.PocketFaceException where the model fails
   */
  public Sighting look(Frame frame) {
    Pixels pixels = frame.pixels();
    long start = System.nanoTime();
    List<Face> found = recognizer.finder().faces(pixels);
    found = found.subList(0, Math.min(MOST_FACES, found.size()));
    long foundAt = System.nanoTime();
    List<float[]> embeddings = new ArrayList<float[]>();
    for (Face face : found) {
      embeddings.add(recognizer.embed(face));
    }
    long embeddedAt = System.nanoTime();
    List<Nearest> nearest = new ArrayList<Nearest>();
    for (float[] embedding : embeddings) {
      nearest.add(nearest(embedding));
    }
    long matchedAt = System.nanoTime();
    List<SeenFace> faces = new ArrayList<SeenFace>();
    for (int at = 0; at < found.size(); at++) {
      Face face = found.get(at);
      faces.add(new SeenFace(box(face), quality(pixels, face), embeddings.get(at), nearest.get(at)));
    }
    return new Sighting(
        frame, faces, milliseconds(start, foundAt), milliseconds(foundAt, embeddedAt), milliseconds(embeddedAt, matchedAt));
  }

  private Nearest nearest(float[] embedding) {
    if (templates() == 0) {
      return null;
    }
    Candidate candidate = matcher.top(embedding, 1).get(0);
    return new Nearest(candidate.personId(), names.get(candidate.personId()), candidate.similarity());
  }

  private Quality quality(Pixels frame, Face face) {
    boolean told = !Double.isNaN(cropEyeDistance);
    for (int point : points) {
      told &= point >= 0;
    }
    if (!told) {
      return Quality.ofCrop(frame, box(face), face.crop);
    }
    double[][] seen = face.detection.keyPoints();
    FacePoints known = new FacePoints(seen[points[0]], seen[points[1]], seen[points[2]], seen[points[3]]);
    return Quality.of(frame, box(face), known, face.crop, cropEyeDistance);
  }

  private static double[] box(Face face) {
    return new double[] {face.detection.left, face.detection.top, face.detection.right, face.detection.bottom};
  }

  /** How far the eyes are apart in a crop; NaN where the template has no eyes. */
  private static double eyeDistance(Bundle bundle, String name) {
    TemplatePoint left = null;
    TemplatePoint right = null;
    for (Template template : bundle.manifest().preprocessing.templates) {
      for (TemplatePoint point : template.points) {
        boolean wanted = template.name.equals(name);
        left = wanted && point.name.equals("left-eye") ? point : left;
        right = wanted && point.name.equals("right-eye") ? point : right;
      }
    }
    return left == null || right == null ? Double.NaN : Math.hypot(right.x - left.x, right.y - left.y);
  }

  private static double milliseconds(long from, long to) {
    return (to - from) / NANOSECONDS_PER_MILLISECOND;
  }
}
