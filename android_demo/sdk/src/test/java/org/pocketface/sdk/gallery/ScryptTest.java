package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertEquals;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import org.junit.Test;

/** The test vectors of RFC 7914, section 12, but for the one that takes 1 GiB. */
public final class ScryptTest {
  private static String derived(byte[] password, String salt, int log2N, int r, int p) throws GeneralSecurityException {
    StringBuilder text = new StringBuilder();
    for (byte value : Scrypt.derive(password, salt.getBytes(StandardCharsets.US_ASCII), log2N, r, p, 64)) {
      text.append(String.format("%02x", value));
    }
    return text.toString();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  public void theVectorsOfTheRfc() throws GeneralSecurityException {
    // HMAC fills a key up with zeros, so one zero is the vector's empty password, which Java has no key for.
    assertEquals("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        derived(new byte[1], "", 4, 1, 1));
    assertEquals("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        derived(ascii("password"), "NaCl", 10, 8, 16));
    assertEquals("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        derived(ascii("pleaseletmein"), "SodiumChloride", 14, 8, 1));
  }
}
