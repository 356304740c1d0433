package org.pocketface.demo;

/** What to do about a flaw. */
final class FlawText {
  private FlawText() {}

  /** The string's resource. */
  static int of(Quality.Flaw flaw) {
    switch (flaw) {
      case SMALL:
        return R.string.flaw_small;
      case CUT_OFF:
        return R.string.flaw_cut_off;
      case SIDEWAYS:
        return R.string.flaw_sideways;
      case UP_DOWN:
        return R.string.flaw_up_down;
      case TILTED:
        return R.string.flaw_tilted;
      case DARK:
        return R.string.flaw_dark;
      case BRIGHT:
        return R.string.flaw_bright;
      case FLAT:
        return R.string.flaw_flat;
      case BLURRED:
        return R.string.flaw_blurred;
      default:
        throw new IllegalArgumentException("flaw: expected one with a text, got " + flaw);
    }
  }
}
