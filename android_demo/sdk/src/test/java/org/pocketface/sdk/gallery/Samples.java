package org.pocketface.sdk.gallery;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Models and templates to test with. */
final class Samples {
  private static final String ZEROS = new String(new char[63]).replace('\0', '0');

  static final TemplateModel FIRST = new TemplateModel(ZEROS + "1", "int8", 4);
  static final TemplateModel SECOND = new TemplateModel(ZEROS + "2", "fp32", 6);

  private Samples() {}

  /** Drawn evenly from the sphere: `[model.size()]` of length 1. */
  static float[] template(Random random, TemplateModel model) {
    double[] drawn = new double[model.size()];
    double squares = 0;
    for (int at = 0; at < drawn.length; at++) {
      drawn[at] = random.nextGaussian();
      squares += drawn[at] * drawn[at];
    }
    float[] template = new float[drawn.length];
    for (int at = 0; at < drawn.length; at++) {
      template[at] = (float) (drawn[at] / Math.sqrt(squares));
    }
    return template;
  }

  static List<float[]> templates(Random random, TemplateModel model, int count) {
    List<float[]> templates = new ArrayList<>();
    for (int at = 0; at < count; at++) {
      templates.add(template(random, model));
    }
    return templates;
  }

  /** All that a gallery says, ids and times aside, as text that is equal where galleries are. */
  static String contents(Gallery gallery) {
    StringBuilder text = new StringBuilder();
    for (Person person : gallery.people()) {
      text.append(person.name()).append(':');
      for (TemplateModel model : gallery.models()) {
        try (Templates templates = gallery.templatesFor(model)) {
          for (int at = 0; at < templates.size(); at++) {
            if (templates.owner(at).equals(person.id())) {
              text.append(' ').append(model).append(Arrays.toString(templates.template(at)));
            }
          }
        }
      }
      text.append('\n');
    }
    return text.toString();
  }
}
