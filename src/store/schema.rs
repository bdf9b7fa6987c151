//! The tables, as both databases have them.

diesel::table! {
    /// Table `settings`.
    settings (key) {
        /// Column `key`.
        key -> Text,
        /// Column `value`.
        value -> Text,
        /// Column `updated_at`.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Table `authorities`.
    authorities (kind) {
        /// Column `kind`.
        kind -> Text,
        /// Column `certificate`.
        certificate -> Binary,
        /// Column `sealed_key`.
        sealed_key -> Binary,
        /// Column `not_after`.
        not_after -> BigInt,
        /// Column `created_at`.
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Table `audit`.
    audit (sequence) {
        /// Column `sequence`.
        sequence -> BigInt,
        /// Column `at`.
        at -> BigInt,
        /// Column `actor_kind`.
        actor_kind -> Text,
        /// Column `actor_name`.
        actor_name -> Text,
        /// Column `action`.
        action -> Text,
        /// Column `subject_kind`.
        subject_kind -> Text,
        /// Column `subject`.
        subject -> Text,
        /// Column `detail`.
        detail -> Text,
        /// Column `hash`.
        hash -> Binary,
    }
}

diesel::table! {
    /// Table `audit_head`.
    audit_head (id) {
        /// Column `id`.
        id -> Integer,
        /// Column `sequence`.
        sequence -> BigInt,
        /// Column `hash`.
        hash -> Binary,
    }
}

diesel::table! {
    /// Table `users`.
    users (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `email`.
        email -> Text,
        /// Column `name`.
        name -> Text,
        /// Column `source`.
        source -> Text,
        /// Column `role`.
        role -> Nullable<Text>,
        /// Column `state`.
        state -> Text,
        /// Column `password_hash`.
        password_hash -> Nullable<Text>,
        /// Column `must_change_password`.
        must_change_password -> Bool,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `updated_at`.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Table `groups`.
    groups (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `name`.
        name -> Text,
        /// Column `source`.
        source -> Text,
        /// Column `created_at`.
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Table `group_members`.
    group_members (group_id, user_id) {
        /// Column `group_id`.
        group_id -> Binary,
        /// Column `user_id`.
        user_id -> Binary,
    }
}

diesel::table! {
    /// Table `api_tokens`.
    api_tokens (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `name`.
        name -> Text,
        /// Column `role`.
        role -> Text,
        /// Column `hash`.
        hash -> Binary,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `revoked_at`.
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Table `policies`.
    policies (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `name`.
        name -> Text,
        /// Column `is_for_everyone`.
        is_for_everyone -> Bool,
        /// Column `rules`.
        rules -> Text,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `updated_at`.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Table `policy_groups`.
    policy_groups (policy_id, group_id) {
        /// Column `policy_id`.
        policy_id -> Binary,
        /// Column `group_id`.
        group_id -> Binary,
    }
}

diesel::table! {
    /// Table `devices`.
    devices (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `user_id`.
        user_id -> Binary,
        /// Column `identifier`.
        identifier -> Text,
        /// Column `platform`.
        platform -> Text,
        /// Column `ownership`.
        ownership -> Text,
        /// Column `state`.
        state -> Text,
        /// Column `generation`.
        generation -> Integer,
        /// Column `enrollment_id`.
        enrollment_id -> Nullable<Binary>,
        /// Column `model`.
        model -> Nullable<Text>,
        /// Column `product_name`.
        product_name -> Nullable<Text>,
        /// Column `device_name`.
        device_name -> Nullable<Text>,
        /// Column `serial`.
        serial -> Nullable<Text>,
        /// Column `os_version`.
        os_version -> Nullable<Text>,
        /// Column `compliance`.
        compliance -> Text,
        /// Column `access`.
        access -> Text,
        /// Column `reasons`.
        reasons -> Text,
        /// Column `deadline`.
        deadline -> Nullable<BigInt>,
        /// Column `evaluate_at`.
        evaluate_at -> Nullable<BigInt>,
        /// Column `evaluated_at`.
        evaluated_at -> Nullable<BigInt>,
        /// Column `refresh_at`.
        refresh_at -> Nullable<BigInt>,
        /// Column `last_seen_at`.
        last_seen_at -> Nullable<BigInt>,
        /// Column `enrolled_at`.
        enrolled_at -> Nullable<BigInt>,
        /// Column `created_at`.
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Table `postures`.
    postures (device_id) {
        /// Column `device_id`.
        device_id -> Binary,
        /// Column `facts`.
        facts -> Text,
        /// Column `updated_at`.
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Table `device_events`.
    device_events (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `device_id`.
        device_id -> Binary,
        /// Column `at`.
        at -> BigInt,
        /// Column `kind`.
        kind -> Text,
        /// Column `text`.
        text -> Text,
        /// Column `cause`.
        cause -> Text,
    }
}

diesel::table! {
    /// Table `enrollments`.
    enrollments (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `user_id`.
        user_id -> Binary,
        /// Column `device_id`.
        device_id -> Nullable<Binary>,
        /// Column `generation`.
        generation -> Integer,
        /// Column `ownership`.
        ownership -> Text,
        /// Column `rights`.
        rights -> Integer,
        /// Column `state`.
        state -> Text,
        /// Column `is_user_enrollment`.
        is_user_enrollment -> Bool,
        /// Column `consent_version`.
        consent_version -> Nullable<Text>,
        /// Column `consented_at`.
        consented_at -> Nullable<BigInt>,
        /// Column `fingerprint`.
        fingerprint -> Nullable<Binary>,
        /// Column `topic`.
        topic -> Nullable<Text>,
        /// Column `push_token`.
        push_token -> Nullable<Binary>,
        /// Column `push_magic`.
        push_magic -> Nullable<Text>,
        /// Column `sealed_unlock_token`.
        sealed_unlock_token -> Nullable<Binary>,
        /// Column `is_awaiting_configuration`.
        is_awaiting_configuration -> Bool,
        /// Column `sealed_bootstrap_token`.
        sealed_bootstrap_token -> Nullable<Binary>,
        /// Column `passcode_profile`.
        passcode_profile -> Nullable<Text>,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `enrolled_at`.
        enrolled_at -> Nullable<BigInt>,
        /// Column `ended_at`.
        ended_at -> Nullable<BigInt>,
        /// Column `end_cause`.
        end_cause -> Nullable<Text>,
    }
}

diesel::table! {
    /// Table `invitations`.
    invitations (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `user_id`.
        user_id -> Binary,
        /// Column `hash`.
        hash -> Binary,
        /// Column `ownership`.
        ownership -> Text,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `expires_at`.
        expires_at -> BigInt,
    }
}

diesel::table! {
    /// Table `visits`.
    visits (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `hash`.
        hash -> Binary,
        /// Column `invitation_id`.
        invitation_id -> Nullable<Binary>,
        /// Column `email`.
        email -> Nullable<Text>,
        /// Column `user_id`.
        user_id -> Nullable<Binary>,
        /// Column `ownership`.
        ownership -> Text,
        /// Column `consent_version`.
        consent_version -> Nullable<Text>,
        /// Column `consented_at`.
        consented_at -> Nullable<BigInt>,
        /// Column `enrollment_id`.
        enrollment_id -> Nullable<Binary>,
        /// Column `profile_taken_at`.
        profile_taken_at -> Nullable<BigInt>,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `expires_at`.
        expires_at -> BigInt,
    }
}

diesel::table! {
    /// Table `codes`.
    codes (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `visit_id`.
        visit_id -> Binary,
        /// Column `email`.
        email -> Text,
        /// Column `hash`.
        hash -> Binary,
        /// Column `tries`.
        tries -> Integer,
        /// Column `failures`.
        failures -> Integer,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `expires_at`.
        expires_at -> BigInt,
        /// Column `spent_at`.
        spent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Table `challenges`.
    challenges (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `hash`.
        hash -> Binary,
        /// Column `enrollment_id`.
        enrollment_id -> Binary,
        /// Column `common_name`.
        common_name -> Text,
        /// Column `email`.
        email -> Text,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `expires_at`.
        expires_at -> BigInt,
        /// Column `spent_at`.
        spent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Table `certificates`.
    certificates (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `serial`.
        serial -> Binary,
        /// Column `fingerprint`.
        fingerprint -> Binary,
        /// Column `enrollment_id`.
        enrollment_id -> Binary,
        /// Column `common_name`.
        common_name -> Text,
        /// Column `email`.
        email -> Text,
        /// Column `certificate`.
        certificate -> Binary,
        /// Column `transaction_hash`.
        transaction_hash -> Binary,
        /// Column `not_before`.
        not_before -> BigInt,
        /// Column `not_after`.
        not_after -> BigInt,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `renew_at`.
        renew_at -> Nullable<BigInt>,
        /// Column `revoked_at`.
        revoked_at -> Nullable<BigInt>,
        /// Column `revocation_reason`.
        revocation_reason -> Nullable<Text>,
    }
}

diesel::table! {
    /// Table `commands`.
    commands (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `enrollment_id`.
        enrollment_id -> Binary,
        /// Column `device_id`.
        device_id -> Binary,
        /// Column `kind`.
        kind -> Text,
        /// Column `body`.
        body -> Text,
        /// Column `purpose`.
        purpose -> Text,
        /// Column `state`.
        state -> Text,
        /// Column `reason`.
        reason -> Nullable<Text>,
        /// Column `times_sent`.
        times_sent -> Integer,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `sent_at`.
        sent_at -> Nullable<BigInt>,
        /// Column `finished_at`.
        finished_at -> Nullable<BigInt>,
        /// Column `error`.
        error -> Nullable<Text>,
        /// Column `answer`.
        answer -> Nullable<Text>,
    }
}

diesel::table! {
    /// Table `jobs`.
    jobs (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `kind`.
        kind -> Text,
        /// Column `key`.
        key -> Text,
        /// Column `payload`.
        payload -> Text,
        /// Column `run_at`.
        run_at -> BigInt,
        /// Column `attempts`.
        attempts -> Integer,
        /// Column `lease_until`.
        lease_until -> Nullable<BigInt>,
        /// Column `is_enqueued_again`.
        is_enqueued_again -> Bool,
        /// Column `last_error`.
        last_error -> Nullable<Text>,
        /// Column `dead_at`.
        dead_at -> Nullable<BigInt>,
        /// Column `created_at`.
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Table `mails`.
    mails (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `user_id`.
        user_id -> Nullable<Binary>,
        /// Column `recipient`.
        recipient -> Text,
        /// Column `template`.
        template -> Text,
        /// Column `subject`.
        subject -> Text,
        /// Column `message_id`.
        message_id -> Text,
        /// Column `sealed_message`.
        sealed_message -> Nullable<Binary>,
        /// Column `state`.
        state -> Text,
        /// Column `created_at`.
        created_at -> BigInt,
        /// Column `expires_at`.
        expires_at -> Nullable<BigInt>,
        /// Column `sent_at`.
        sent_at -> Nullable<BigInt>,
        /// Column `last_error`.
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    /// Table `push_certificates`.
    push_certificates (id) {
        /// Column `id`.
        id -> Binary,
        /// Column `key_hash`.
        key_hash -> Binary,
        /// Column `sealed_key`.
        sealed_key -> Binary,
        /// Column `requested_by`.
        requested_by -> Text,
        /// Column `requested_at`.
        requested_at -> BigInt,
        /// Column `certificate`.
        certificate -> Nullable<Binary>,
        /// Column `topic`.
        topic -> Nullable<Text>,
        /// Column `not_after`.
        not_after -> Nullable<BigInt>,
        /// Column `imported_by`.
        imported_by -> Nullable<Text>,
        /// Column `imported_at`.
        imported_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(group_members -> groups (group_id));
diesel::joinable!(group_members -> users (user_id));
diesel::joinable!(policy_groups -> policies (policy_id));
diesel::joinable!(policy_groups -> groups (group_id));
diesel::joinable!(devices -> users (user_id));
diesel::joinable!(postures -> devices (device_id));
diesel::joinable!(device_events -> devices (device_id));
diesel::joinable!(enrollments -> users (user_id));
diesel::joinable!(enrollments -> devices (device_id));
diesel::joinable!(invitations -> users (user_id));
diesel::joinable!(visits -> invitations (invitation_id));
diesel::joinable!(visits -> users (user_id));
diesel::joinable!(visits -> enrollments (enrollment_id));
diesel::joinable!(codes -> visits (visit_id));
diesel::joinable!(challenges -> enrollments (enrollment_id));
diesel::joinable!(certificates -> enrollments (enrollment_id));
diesel::joinable!(commands -> enrollments (enrollment_id));
diesel::joinable!(commands -> devices (device_id));
diesel::joinable!(mails -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    settings,
    authorities,
    audit,
    audit_head,
    users,
    groups,
    group_members,
    api_tokens,
    policies,
    policy_groups,
    devices,
    postures,
    device_events,
    enrollments,
    invitations,
    visits,
    codes,
    challenges,
    certificates,
    commands,
    jobs,
    mails
);
