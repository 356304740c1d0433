package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** Data that had a part in the model. */
public final class DataSource {
  /** Name of the data. */
  @NotNull public final String name;

  /** Which part. */
  @NotNull public final String use;

  /** Its licence. */
  @NotNull public final String licence;

  /** Its fingerprint, where known. */
  @Nullable public final String sha256;

  DataSource(Fields fields) {
    fields.expect(new String[] {"name", "use", "licence"}, "sha256");
    name = fields.text("name");
    use = fields.oneOf("use", "training", "distillation", "calibration", "evaluation", "pretrained-weights");
    licence = fields.text("licence");
    sha256 = fields.isNull("sha256") ? null : fields.sha256("sha256");
  }

  static List<DataSource> list(List<Fields> items) {
    List<DataSource> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new DataSource(item));
    }
    return Collections.unmodifiableList(result);
  }
}
