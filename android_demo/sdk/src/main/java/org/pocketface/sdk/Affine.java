package org.pocketface.sdk;

/** The map (X, Y) → (a·X + b·Y + c, d·X + e·Y + f), in pixels counted from pixel centres. */
public final class Affine {
  /** Coefficients of x, then of y. */
  public final double a, b, c, d, e, f;

  public Affine(double a, double b, double c, double d, double e, double f) {
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.e = e;
    this.f = f;
  }
}
