//! Human text for the error codes of Apple devices. Apple warns that they change: they are for people to read, never to
//! decide by.

/// What this code of this domain means and what to do, or `None` where nothing is known of it.
#[must_use]
pub fn hint(domain: &str, code: i64) -> Option<&'static str> {
    match domain {
        "MCProfileErrorDomain" => profile(code),
        "MCPayloadErrorDomain" => payload(code),
        "MCInstallationErrorDomain" => installation(code),
        "MCPasscodeErrorDomain" => passcode(code),
        "MCEmailErrorDomain" => email(code),
        "MCCertificateErrorDomain" => certificate(code),
        "MCMDMErrorDomain" => management(code),
        "MCEASErrorDomain" => exchange(code),
        "MCSCEPErrorDomain" => scep(code),
        "MCHTTPTransactionErrorDomain" => transaction(code),
        "MCOTAProfilesErrorDomain" => over_the_air(code),
        _ => None,
    }
}

const fn profile(code: i64) -> Option<&'static str> {
    Some(match code {
        1000 => "The profile is malformed.",
        1002 => "A field that the profile must have is missing.",
        1003 => "A field of the profile has the wrong type.",
        1004 => "The signature of the profile is not valid.",
        1006 => "The device cannot decrypt the profile.",
        1007 => "Two payloads of the profile have the same UUID.",
        1008 => "Two payloads of the profile have the same identifier.",
        1009 => "The profile could not be installed.",
        1010 => "A value in the profile is not supported by this system version.",
        _ => return None,
    })
}

const fn payload(code: i64) -> Option<&'static str> {
    Some(match code {
        2000 => "A payload is malformed.",
        2002 => "A field that the payload must have is missing.",
        2003 => "A field of the payload has the wrong type.",
        2004 => "A value in the payload is not supported by this system version.",
        _ => return None,
    })
}

const fn installation(code: i64) -> Option<&'static str> {
    Some(match code {
        4001 => "The installation failed.",
        4004 => "The person cancelled the installation.",
        4005 => "The present passcode does not comply with the profile: it must be changed first.",
        4008 => "The profile must be signed by the same certificate as the one that it replaces.",
        4009 => "The device is locked: it must be unlocked before the profile can be installed.",
        4010 => "The profile has another identifier than the one that it replaces.",
        4014 => "The device has no identity certificate.",
        4015 => "The replacement of the enrollment profile has no management payload.",
        4022 => "This profile can only be installed by a management server.",
        4023 => "The profile has a payload that is not acceptable here.",
        4024 => "The profile was not found on the device.",
        4025 => "The supervision of the device does not fit.",
        4027 => "The profile needs a passcode change, which the person has to make.",
        _ => return None,
    })
}

const fn passcode(code: i64) -> Option<&'static str> {
    Some(match code {
        5000 => "The passcode is too short.",
        5001..=5007 => "The passcode does not meet one of the requirements.",
        5008 => "The passcode was used too recently.",
        5010 => "The device is locked after wrong passcodes.",
        5011 => "The passcode is wrong.",
        5013 => "The passcode cannot be cleared; the unlock token may belong to an earlier enrollment.",
        5014 => "The passcode cannot be set.",
        _ => return None,
    })
}

const fn email(code: i64) -> Option<&'static str> {
    Some(match code {
        7000 => "The mail server cannot be reached.",
        7001 => "The mail server refused the name or the password.",
        7005 => "The IMAP account is misconfigured.",
        7006 => "The POP account is misconfigured.",
        7007 => "The SMTP account is misconfigured.",
        _ => return None,
    })
}

const fn certificate(code: i64) -> Option<&'static str> {
    Some(match code {
        9000 => "The password of the certificate file is wrong.",
        9005 => "The certificate is malformed.",
        9006 => "The certificate has no private key.",
        _ => return None,
    })
}

const fn management(code: i64) -> Option<&'static str> {
    Some(match code {
        12000 => "The access rights of the enrollment profile are not valid.",
        12001 => "The device is already managed by another server.",
        12002 => "The device cannot reach the check-in address of this server.",
        12004 => "The push certificate is not valid.",
        12007 => "The enrollment does not have the right for this command.",
        12008 => "The request was malformed.",
        12009 => "The replacement of the enrollment profile is not valid.",
        12011 => "The management configuration is not valid.",
        12012 => "The new enrollment profile changes rights, topic or addresses: the device must be enrolled again.",
        12013 => "The profile was not installed by this server and cannot be removed by it.",
        12015 => "The device could not get a push token: its network must let Apple's push service through.",
        12016 => "The identity certificate for management is missing.",
        12020 => "This server refused the device.",
        12021 => "The device does not know this command, or not in this kind of enrollment.",
        12022 => "The push topic is not valid.",
        12029 | 12038 => "The app is not managed by this server.",
        12034 => "The address does not begin with https.",
        12040 => "The person must sign in to the store first.",
        12063 => "The person rejected the installation.",
        12066 => "Lost mode cannot be switched on.",
        12067 => "The device is not in lost mode.",
        12068 => "The device does not know where it is.",
        12075 => "The profile is not installed.",
        12078 => "This is not possible while the device is in lost mode.",
        _ => return None,
    })
}

const fn exchange(code: i64) -> Option<&'static str> {
    Some(match code {
        21000 => "The policy of the Exchange server cannot be read.",
        21001 => "The device cannot comply with the policy of the Exchange server.",
        21002 => "The Exchange server asks for encryption that the device does not have.",
        21005 => "There is already such an account on the device.",
        21007 => "The Exchange account cannot be verified.",
        _ => return None,
    })
}

const fn scep(code: i64) -> Option<&'static str> {
    Some(match code {
        22000 => "The key usage of the certificate request is not valid.",
        22002 => "The certificate authority's answer is not valid.",
        22003 => "The registration authority's answer is not valid.",
        22005 => "The certificate authority cannot be reached.",
        22006 => "The certificate authority does not offer the algorithms that the device demands.",
        22007 => "The certificate that was issued is not valid.",
        22011 => "The device could not make a certificate request.",
        22013 => "The answer to the certificate request is not valid.",
        _ => return None,
    })
}

const fn transaction(code: i64) -> Option<&'static str> {
    Some(match code {
        23000 => "The identity certificate of the device is not usable.",
        23001 => "The server's answer is not valid.",
        23002 => "The device does not trust the server's certificate.",
        _ => return None,
    })
}

const fn over_the_air(code: i64) -> Option<&'static str> {
    Some(match code {
        24000 => "The device could not collect the attributes that were asked for.",
        24001 => "The device could not sign its answer.",
        24002 => "The profile with the identity is not valid.",
        24003 => "The final profile is not valid.",
        _ => return None,
    })
}
