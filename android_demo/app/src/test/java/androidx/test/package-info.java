/**
 * Stands in for the part of androidx.test that Robolectric 4.17 is linked against. The library itself is on Google's repository alone; of its
 * classes Robolectric's runner calls these, to tell which activity is in which stage, which no test here asks.
 */
package androidx.test;
