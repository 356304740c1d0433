package org.pocketface.sdk.manifest;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/** From an aligned crop to the input tensor, and from a photograph to an aligned crop. */
public final class Preprocessing {
  /** Size, colour order and range of the input. */
  @NotNull public final InputContract input;

  /** {@code nhwc}. */
  @NotNull public final String layout;

  /** {@code float32}. */
  @NotNull public final String dtype;

  /** {@code area-bilinear}: area reduction by whole factors, then bilinear. */
  @NotNull public final String resampling;

  /** One or more, of distinct names. */
  @NotNull public final List<Template> templates;

  Preprocessing(Fields fields) {
    fields.expect(new String[] {"input", "layout", "dtype", "resampling", "templates"});
    input = new InputContract(fields.object("input"));
    layout = fields.oneOf("layout", "nhwc");
    dtype = fields.oneOf("dtype", "float32");
    resampling = fields.oneOf("resampling", "area-bilinear");
    templates = Template.list(fields.items("templates", 1));
  }
}
