//! The object identifiers that certificates, CMS, OCSP and SCEP messages are read and written with.

use der::oid::ObjectIdentifier;

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($text);)+
    };
}

oids! {
    // CMS content types and attributes (RFC 5652)
    DATA = "1.2.840.113549.1.7.1";
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    ENVELOPED_DATA = "1.2.840.113549.1.7.3";
    CONTENT_TYPE = "1.2.840.113549.1.9.3";
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";

    // digests
    SHA1 = "1.3.14.3.2.26";
    SHA256 = "2.16.840.1.101.3.4.2.1";
    SHA384 = "2.16.840.1.101.3.4.2.2";
    SHA512 = "2.16.840.1.101.3.4.2.3";

    // signatures
    RSA = "1.2.840.113549.1.1.1";
    RSA_PSS = "1.2.840.113549.1.1.10";
    RSA_SHA1 = "1.2.840.113549.1.1.5";
    RSA_SHA256 = "1.2.840.113549.1.1.11";
    RSA_SHA384 = "1.2.840.113549.1.1.12";
    RSA_SHA512 = "1.2.840.113549.1.1.13";
    EC_KEY = "1.2.840.10045.2.1";
    ECDSA_SHA1 = "1.2.840.10045.4.1";
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    ECDSA_SHA384 = "1.2.840.10045.4.3.3";
    ECDSA_SHA512 = "1.2.840.10045.4.3.4";

    // ciphers
    DES_EDE3_CBC = "1.2.840.113549.3.7";
    AES128_CBC = "2.16.840.1.101.3.4.1.2";
    AES192_CBC = "2.16.840.1.101.3.4.1.22";
    AES256_CBC = "2.16.840.1.101.3.4.1.42";

    // certificate and CRL extensions (RFC 5280)
    SUBJECT_ALT_NAME = "2.5.29.17";
    CRL_NUMBER = "2.5.29.20";
    CRL_REASON = "2.5.29.21";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    AUTHORITY_KEY_ID = "2.5.29.35";
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";

    // OCSP (RFC 6960)
    OCSP = "1.3.6.1.5.5.7.48.1";
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1";
    OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2";
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5";

    // SCEP attributes (RFC 8894, section 3.2.1)
    SCEP_MESSAGE_TYPE = "2.16.840.1.113733.1.9.2";
    SCEP_PKI_STATUS = "2.16.840.1.113733.1.9.3";
    SCEP_FAIL_INFO = "2.16.840.1.113733.1.9.4";
    SCEP_SENDER_NONCE = "2.16.840.1.113733.1.9.5";
    SCEP_RECIPIENT_NONCE = "2.16.840.1.113733.1.9.6";
    SCEP_TRANSACTION_ID = "2.16.840.1.113733.1.9.7";
    SCEP_FAIL_INFO_TEXT = "1.3.6.1.5.5.7.24.1";
}
