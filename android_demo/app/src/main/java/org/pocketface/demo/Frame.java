package org.pocketface.demo;

/** A camera frame that stands upright and is not mirrored: {@code rgb} holds height × width × 3 bytes, row by row, and may be longer. */
public final class Frame {
    /** Red, green, blue of each pixel, row by row. */
    public byte[] rgb = new byte[0];
    /** Pixels across. */
    public int width;
    /** Pixels down. */
    public int height;
    /** Whether the camera looks at the phone's user. */
    public boolean front;
    /** When the frame was taken, in milliseconds of a clock that only goes on. */
    public long milliseconds;

    /** Makes room for {@code width} × {@code height} pixels, whose content is then undefined. */
    public void resize(int width, int height) {
        this.width = width;
        this.height = height;
        if (rgb.length < 3 * width * height) {
            rgb = new byte[3 * width * height];
        }
    }
}
