package org.pocketface.demo;

import android.security.keystore.KeyGenParameterSpec;
import android.security.keystore.KeyProperties;
import android.security.keystore.StrongBoxUnavailableException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.InvalidKeyException;
import java.security.Key;
import java.security.KeyStoreSpi;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.spec.AlgorithmParameterSpec;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.BadPaddingException;
import javax.crypto.Cipher;
import javax.crypto.CipherSpi;
import javax.crypto.IllegalBlockSizeException;
import javax.crypto.KeyGeneratorSpi;
import javax.crypto.SecretKey;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.SecretKeySpec;

/**
 * Stands in for AndroidKeyStore, which Robolectric does not have, and is as strict as a phone's: keys have no encoding, do only what they
 * were made for, and choose their own nonces; there is no StrongBox, as on most phones. Says nothing of what hardware does.
 */
final class StrictKeyStore {
  static final Map<String, StoredKey> KEYS = new LinkedHashMap<>();

  private StrictKeyStore() {}

  /** Puts it where AndroidKeyStore is looked for, empty. */
  static void install() {
    remove();
    Security.addProvider(new Keys());
    Security.insertProviderAt(new Ciphers(), 1);
  }

  /** Takes it away again, with its keys. */
  static void remove() {
    KEYS.clear();
    Security.removeProvider("AndroidKeyStore");
    Security.removeProvider("AndroidKeyStoreBCWorkaround");
  }

  private static final class Keys extends Provider {
    Keys() {
      super("AndroidKeyStore", 1.0, "stands in for a phone's");
      put("KeyStore.AndroidKeyStore", Store.class.getName());
      put("KeyGenerator.AES", Generator.class.getName());
    }
  }

  /** As on a phone: the ciphers are a provider of their own, before all others, for keys of the store alone. */
  private static final class Ciphers extends Provider {
    Ciphers() {
      super("AndroidKeyStoreBCWorkaround", 1.0, "stands in for a phone's");
      put("Cipher.AES/GCM/NoPadding", Gcm.class.getName());
      put("Cipher.AES/GCM/NoPadding SupportedKeyClasses", StoredKey.class.getName());
    }
  }

  static final class StoredKey implements SecretKey {
    final transient KeyGenParameterSpec spec;
    final transient SecretKeySpec raw;

    StoredKey(KeyGenParameterSpec spec) {
      this.spec = spec;
      byte[] bytes = new byte[spec.getKeySize() / 8];
      new SecureRandom().nextBytes(bytes);
      raw = new SecretKeySpec(bytes, "AES");
    }

    @Override
    public String getAlgorithm() {
      return "AES";
    }

    @Override
    public String getFormat() {
      return null;
    }

    @Override
    public byte[] getEncoded() {
      return null;
    }
  }

  public static final class Generator extends KeyGeneratorSpi {
    private KeyGenParameterSpec spec;

    @Override
    protected void engineInit(SecureRandom random) {
      throw new UnsupportedOperationException("Cannot initialize without a KeyGenParameterSpec parameter");
    }

    @Override
    protected void engineInit(int size, SecureRandom random) {
      engineInit(random);
    }

    @Override
    protected void engineInit(AlgorithmParameterSpec given, SecureRandom random) throws InvalidAlgorithmParameterException {
      if (!(given instanceof KeyGenParameterSpec)) {
        throw new InvalidAlgorithmParameterException("Cannot initialize without a KeyGenParameterSpec parameter");
      }
      spec = (KeyGenParameterSpec) given;
      if (!Arrays.asList(128, 192, 256).contains(spec.getKeySize())) {
        throw new InvalidAlgorithmParameterException("Unsupported key size: " + spec.getKeySize());
      }
    }

    @Override
    protected SecretKey engineGenerateKey() {
      if (spec == null) {
        throw new IllegalStateException("Not initialized");
      }
      if (spec.isStrongBoxBacked()) {
        throw new StrongBoxUnavailableException("Failed to generate key");
      }
      StoredKey key = new StoredKey(spec);
      KEYS.put(spec.getKeystoreAlias(), key);
      return key;
    }
  }

  public static final class Gcm extends CipherSpi {
    private final Cipher cipher;

    public Gcm() throws GeneralSecurityException {
      cipher = Cipher.getInstance("AES/GCM/NoPadding", "SunJCE");
    }

    private static void check(int mode, Key key, AlgorithmParameterSpec given)
        throws InvalidKeyException, InvalidAlgorithmParameterException {
      if (!KEYS.containsValue(key)) {
        throw new InvalidKeyException("Key not found");
      }
      KeyGenParameterSpec spec = ((StoredKey) key).spec;
      boolean encrypts = mode == Cipher.ENCRYPT_MODE;
      int purpose = encrypts ? KeyProperties.PURPOSE_ENCRYPT : KeyProperties.PURPOSE_DECRYPT;
      if ((spec.getPurposes() & purpose) == 0) {
        throw new InvalidKeyException("Incompatible purpose");
      }
      if (!Arrays.asList(spec.getBlockModes()).contains(KeyProperties.BLOCK_MODE_GCM)) {
        throw new InvalidKeyException("Incompatible block mode");
      }
      if (!Arrays.asList(spec.getEncryptionPaddings()).contains(KeyProperties.ENCRYPTION_PADDING_NONE)) {
        throw new InvalidKeyException("Incompatible padding mode");
      }
      if (encrypts && given != null && spec.isRandomizedEncryptionRequired()) {
        throw new InvalidAlgorithmParameterException("Caller-provided IV not permitted");
      }
      if (!encrypts && given == null) {
        throw new InvalidKeyException("IV required when decrypting");
      }
    }

    @Override
    protected void engineInit(int mode, Key key, SecureRandom random) throws InvalidKeyException {
      try {
        engineInit(mode, key, (AlgorithmParameterSpec) null, random);
      } catch (InvalidAlgorithmParameterException error) {
        throw new InvalidKeyException(error);
      }
    }

    @Override
    protected void engineInit(int mode, Key key, AlgorithmParameterSpec given, SecureRandom random)
        throws InvalidKeyException, InvalidAlgorithmParameterException {
      check(mode, key, given);
      if (given == null) {
        cipher.init(mode, ((StoredKey) key).raw);
      } else {
        cipher.init(mode, ((StoredKey) key).raw, given);
      }
    }

    @Override
    protected void engineInit(int mode, Key key, AlgorithmParameters given, SecureRandom random) {
      throw new UnsupportedOperationException("AlgorithmParameters");
    }

    @Override
    protected void engineSetMode(String mode) {}

    @Override
    protected void engineSetPadding(String padding) {}

    @Override
    protected int engineGetBlockSize() {
      return 16;
    }

    @Override
    protected int engineGetOutputSize(int size) {
      return cipher.getOutputSize(size);
    }

    @Override
    protected byte[] engineGetIV() {
      return cipher.getIV();
    }

    @Override
    protected AlgorithmParameters engineGetParameters() {
      return cipher.getParameters();
    }

    @Override
    protected void engineUpdateAAD(byte[] data, int from, int size) {
      cipher.updateAAD(data, from, size);
    }

    @Override
    protected byte[] engineUpdate(byte[] data, int from, int size) {
      return cipher.update(data, from, size);
    }

    @Override
    protected int engineUpdate(byte[] data, int from, int size, byte[] out, int at) throws ShortBufferException {
      return cipher.update(data, from, size, out, at);
    }

    @Override
    protected byte[] engineDoFinal(byte[] data, int from, int size) throws IllegalBlockSizeException, BadPaddingException {
      return cipher.doFinal(data, from, size);
    }

    @Override
    protected int engineDoFinal(byte[] data, int from, int size, byte[] out, int at)
        throws ShortBufferException, IllegalBlockSizeException, BadPaddingException {
      return cipher.doFinal(data, from, size, out, at);
    }
  }

  public static final class Store extends KeyStoreSpi {
    @Override
    public Key engineGetKey(String alias, char[] password) {
      return KEYS.get(alias);
    }

    @Override
    public void engineDeleteEntry(String alias) {
      KEYS.remove(alias);
    }

    @Override
    public Enumeration<String> engineAliases() {
      return Collections.enumeration(KEYS.keySet());
    }

    @Override
    public boolean engineContainsAlias(String alias) {
      return KEYS.containsKey(alias);
    }

    @Override
    public int engineSize() {
      return KEYS.size();
    }

    @Override
    public boolean engineIsKeyEntry(String alias) {
      return KEYS.containsKey(alias);
    }

    @Override
    public void engineLoad(InputStream stream, char[] password) {
      if (stream != null) {
        throw new IllegalArgumentException("InputStream not supported");
      }
    }

    @Override
    public void engineStore(OutputStream stream, char[] password) {
      throw new UnsupportedOperationException("Can not serialize AndroidKeyStore to OutputStream");
    }

    @Override
    public Certificate[] engineGetCertificateChain(String alias) {
      return null;
    }

    @Override
    public Certificate engineGetCertificate(String alias) {
      return null;
    }

    @Override
    public Date engineGetCreationDate(String alias) {
      return null;
    }

    @Override
    public void engineSetKeyEntry(String alias, Key key, char[] password, Certificate[] chain) {
      throw new UnsupportedOperationException("keys are made in the store");
    }

    @Override
    public void engineSetKeyEntry(String alias, byte[] key, Certificate[] chain) {
      throw new UnsupportedOperationException("keys are made in the store");
    }

    @Override
    public void engineSetCertificateEntry(String alias, Certificate certificate) {
      throw new UnsupportedOperationException("only keys");
    }

    @Override
    public boolean engineIsCertificateEntry(String alias) {
      return false;
    }

    @Override
    public String engineGetCertificateAlias(Certificate certificate) {
      return null;
    }
  }
}
