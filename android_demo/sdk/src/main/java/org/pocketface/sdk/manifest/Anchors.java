package org.pocketface.sdk.manifest;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/**
 * SSD anchors in the order of the model's outputs: for each stride, row by row and column by column of the map of input / stride
 * cells, so many anchors of size 1 centred at (column + offset, row + offset) * stride pixels.
 */
public final class Anchors {
  /** Pixels from cell to cell, of each map. */
  @NotNull public final List<Integer> strides;

  /** Anchors in a cell, of each map. */
  @NotNull public final List<Integer> perCell;

  /** Of an anchor's centre in its cell, in cells. */
  public final double offset;

  Anchors(Fields fields) {
    fields.expect(new String[] {"strides", "per_cell", "offset"});
    strides = fields.sizes("strides", Fields.MOST_SIZE);
    perCell = fields.sizes("per_cell", Fields.MOST_SIZE);
    offset = fields.number("offset");
    if (strides.size() != perCell.size()) {
      throw fields.wrong("per_cell: expected one number a stride, got " + perCell.size() + " for " + strides.size());
    }
  }
}
