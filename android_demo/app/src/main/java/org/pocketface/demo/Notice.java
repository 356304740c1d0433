package org.pocketface.demo;

/** What stands on a stage without a picture: resources of its title, its text, what can be done, and what else; each 0 where there is none. */
final class Notice {
  final int title;
  /** Takes the reason as its first argument, the error's code as its second. */
  final int text;
  final int action;
  /** Destroys something. */
  final int danger;

  private Notice(int title, int text, int action) {
    this(title, text, action, 0);
  }

  private Notice(int title, int text, int action, int danger) {
    this.title = title;
    this.text = text;
    this.action = action;
    this.danger = danger;
  }

  /** The notice of every stage but LIVE. */
  static Notice of(CameraActivity.Stage stage) {
    switch (stage) {
      case LOADING:
        return new Notice(R.string.loading, 0, 0);
      case DAMAGED_MODEL:
        return new Notice(R.string.damaged_title, R.string.damaged_text, 0);
      case DAMAGED_GALLERY:
        return new Notice(R.string.gallery_title, R.string.gallery_text, R.string.try_again, R.string.delete_all);
      case ASK:
        return new Notice(R.string.ask_title, R.string.ask_text, R.string.ask_action);
      case DENIED:
        return new Notice(R.string.denied_title, R.string.denied_text, R.string.denied_action);
      case DENIED_FOR_GOOD:
        return new Notice(R.string.denied_title, R.string.settings_text, R.string.settings_action);
      case NO_CAMERA:
        return new Notice(R.string.no_camera_title, R.string.no_camera_text, 0);
      case CAMERA_FAILED:
        return new Notice(R.string.camera_failed_title, R.string.camera_failed_text, R.string.try_again);
      default:
        throw new IllegalArgumentException("notice: expected a stage without a picture, got " + stage);
    }
  }
}
