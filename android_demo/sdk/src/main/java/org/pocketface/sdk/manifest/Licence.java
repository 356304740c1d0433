package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A licence of something in the bundle. */
public final class Licence {
  /** What in the bundle. */
  @NotNull public final String covers;

  /** An SPDX expression or a LicenseRef. */
  @NotNull public final String spdx;

  /** What a user must know. */
  @NotNull public final String terms;

  Licence(Fields fields) {
    fields.expect(new String[] {"covers", "spdx", "terms"});
    covers = fields.text("covers");
    spdx = fields.text("spdx");
    terms = fields.text("terms");
  }

  static List<Licence> list(List<Fields> items) {
    List<Licence> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Licence(item));
    }
    return Collections.unmodifiableList(result);
  }
}
