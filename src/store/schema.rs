//! The tables, as both databases have them.

diesel::table! {
    settings (key) {
        key -> Text,
        value -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    authorities (kind) {
        kind -> Text,
        certificate -> Binary,
        sealed_key -> Binary,
        not_after -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    audit (sequence) {
        sequence -> BigInt,
        at -> BigInt,
        actor_kind -> Text,
        actor_name -> Text,
        action -> Text,
        subject_kind -> Text,
        subject -> Text,
        detail -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    audit_head (id) {
        id -> Integer,
        sequence -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    users (id) {
        id -> Binary,
        email -> Text,
        name -> Text,
        source -> Text,
        role -> Nullable<Text>,
        state -> Text,
        password_hash -> Nullable<Text>,
        must_change_password -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        language -> Nullable<Text>,
    }
}

diesel::table! {
    groups (id) {
        id -> Binary,
        name -> Text,
        source -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    group_members (group_id, user_id) {
        group_id -> Binary,
        user_id -> Binary,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Binary,
        name -> Text,
        role -> Text,
        hash -> Binary,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        created_by -> Nullable<Text>,
        created_by_user -> Nullable<Binary>,
    }
}

diesel::table! {
    policies (id) {
        id -> Binary,
        name -> Text,
        is_for_everyone -> Bool,
        rules -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    policy_groups (policy_id, group_id) {
        policy_id -> Binary,
        group_id -> Binary,
    }
}

diesel::table! {
    devices (id) {
        id -> Binary,
        user_id -> Binary,
        identifier -> Text,
        platform -> Text,
        ownership -> Text,
        state -> Text,
        generation -> Integer,
        enrollment_id -> Nullable<Binary>,
        model -> Nullable<Text>,
        product_name -> Nullable<Text>,
        device_name -> Nullable<Text>,
        serial -> Nullable<Text>,
        os_version -> Nullable<Text>,
        compliance -> Text,
        access -> Text,
        reasons -> Text,
        deadline -> Nullable<BigInt>,
        evaluate_at -> Nullable<BigInt>,
        evaluated_at -> Nullable<BigInt>,
        refresh_at -> Nullable<BigInt>,
        last_seen_at -> Nullable<BigInt>,
        enrolled_at -> Nullable<BigInt>,
        created_at -> BigInt,
        search -> Text,
        reason_codes -> Text,
    }
}

diesel::table! {
    device_tallies (platform, ownership, state, compliance, amount) {
        platform -> Text,
        ownership -> Text,
        state -> Text,
        compliance -> Text,
        amount -> BigInt,
    }
}

diesel::table! {
    device_finder (device_id) {
        device_id -> Binary,
        user_id -> Binary,
        platform -> Text,
        ownership -> Text,
        state -> Text,
        compliance -> Text,
        words -> Text,
        codes -> Text,
        seen_day -> BigInt,
    }
}

diesel::table! {
    user_finder (user_id) {
        user_id -> Binary,
        source -> Text,
        role -> Nullable<Text>,
        words -> Text,
    }
}

diesel::table! {
    postures (device_id) {
        device_id -> Binary,
        facts -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    device_events (id) {
        id -> Binary,
        device_id -> Binary,
        at -> BigInt,
        kind -> Text,
        text -> Text,
        cause -> Text,
    }
}

diesel::table! {
    enrollments (id) {
        id -> Binary,
        user_id -> Binary,
        device_id -> Nullable<Binary>,
        generation -> Integer,
        ownership -> Text,
        rights -> Integer,
        state -> Text,
        is_user_enrollment -> Bool,
        consent_version -> Nullable<Text>,
        consented_at -> Nullable<BigInt>,
        fingerprint -> Nullable<Binary>,
        topic -> Nullable<Text>,
        push_token -> Nullable<Binary>,
        push_magic -> Nullable<Text>,
        sealed_unlock_token -> Nullable<Binary>,
        is_awaiting_configuration -> Bool,
        sealed_bootstrap_token -> Nullable<Binary>,
        passcode_profile -> Nullable<Text>,
        created_at -> BigInt,
        enrolled_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        end_cause -> Nullable<Text>,
        backend -> Text,
        management_mode -> Nullable<Text>,
    }
}

diesel::table! {
    invitations (id) {
        id -> Binary,
        user_id -> Binary,
        hash -> Binary,
        ownership -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    visits (id) {
        id -> Binary,
        hash -> Binary,
        invitation_id -> Nullable<Binary>,
        email -> Nullable<Text>,
        user_id -> Nullable<Binary>,
        ownership -> Text,
        consent_version -> Nullable<Text>,
        consented_at -> Nullable<BigInt>,
        enrollment_id -> Nullable<Binary>,
        profile_taken_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        backend -> Nullable<Text>,
        return_to -> Nullable<Text>,
    }
}

diesel::table! {
    browsers (enrollment_id) {
        enrollment_id -> Binary,
        hash -> Binary,
        user_agent -> Text,
        used_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    gate_cookies (enrollment_id, host) {
        enrollment_id -> Binary,
        host -> Text,
        hash -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    gate_tickets (hash) {
        hash -> Binary,
        enrollment_id -> Binary,
        host -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    codes (id) {
        id -> Binary,
        visit_id -> Binary,
        email -> Text,
        hash -> Binary,
        tries -> Integer,
        failures -> Integer,
        created_at -> BigInt,
        expires_at -> BigInt,
        spent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    challenges (id) {
        id -> Binary,
        hash -> Binary,
        enrollment_id -> Binary,
        common_name -> Text,
        email -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        spent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    certificates (id) {
        id -> Binary,
        serial -> Binary,
        fingerprint -> Binary,
        enrollment_id -> Binary,
        common_name -> Text,
        email -> Text,
        certificate -> Binary,
        transaction_hash -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        created_at -> BigInt,
        renew_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        revocation_reason -> Nullable<Text>,
    }
}

diesel::table! {
    commands (id) {
        id -> Binary,
        enrollment_id -> Binary,
        device_id -> Binary,
        kind -> Text,
        body -> Text,
        purpose -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        times_sent -> Integer,
        created_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
        answer -> Nullable<Text>,
        ordered_by -> Nullable<Text>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Binary,
        kind -> Text,
        key -> Text,
        payload -> Text,
        run_at -> BigInt,
        attempts -> Integer,
        lease_until -> Nullable<BigInt>,
        is_enqueued_again -> Bool,
        last_error -> Nullable<Text>,
        dead_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    mails (id) {
        id -> Binary,
        user_id -> Nullable<Binary>,
        recipient -> Text,
        template -> Text,
        subject -> Text,
        message_id -> Text,
        sealed_message -> Nullable<Binary>,
        state -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        sent_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        attempts -> Integer,
        is_unreachable -> Bool,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Binary,
        name -> Text,
        url -> Text,
        sealed_secret -> Binary,
        events -> Text,
        is_enabled -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_success_at -> Nullable<BigInt>,
        last_failure_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        consecutive_failures -> Integer,
        failing_since -> Nullable<BigInt>,
        retry_at -> Nullable<BigInt>,
        paused_at -> Nullable<BigInt>,
        lease_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Binary,
        webhook_id -> Binary,
        event -> Text,
        body -> Text,
        state -> Text,
        attempts -> Integer,
        created_at -> BigInt,
        next_attempt_at -> BigInt,
        delivered_at -> Nullable<BigInt>,
        last_status -> Nullable<Integer>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        hash -> Binary,
        user_id -> Binary,
        browser -> Text,
        address -> Text,
        network -> Text,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    sign_in_failures (id) {
        id -> Binary,
        email -> Text,
        address -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    census (day, compliance) {
        day -> BigInt,
        compliance -> Text,
        devices -> BigInt,
    }
}

diesel::table! {
    imports (id) {
        id -> Binary,
        kind -> Text,
        state -> Text,
        actor_kind -> Text,
        actor_name -> Text,
        should_invite -> Bool,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    import_lines (import_id, number) {
        import_id -> Binary,
        number -> BigInt,
        email -> Text,
        name -> Text,
        groups -> Text,
        ownership -> Text,
        outcome -> Text,
        why -> Nullable<Text>,
        user_id -> Nullable<Binary>,
        mail_id -> Nullable<Binary>,
    }
}

diesel::table! {
    rollouts (id) {
        id -> Binary,
        cause -> Text,
        scope -> Text,
        total -> BigInt,
        done -> BigInt,
        changed -> BigInt,
        last_device -> Nullable<Binary>,
        created_at -> BigInt,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mail_texts (kind, language) {
        kind -> Text,
        language -> Text,
        subject -> Text,
        body -> Text,
        updated_at -> BigInt,
        updated_by -> Text,
    }
}

diesel::table! {
    saved_reports (id) {
        id -> Binary,
        name -> Text,
        wanted -> Text,
        every -> Nullable<Text>,
        recipients -> Text,
        created_by -> Text,
        created_at -> BigInt,
        last_sent_at -> Nullable<BigInt>,
        next_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    ladders (device_id) {
        device_id -> Binary,
        since -> BigInt,
        mailed_at -> Nullable<BigInt>,
        blocked_for -> Text,
        proposed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    push_certificates (id) {
        id -> Binary,
        key_hash -> Binary,
        sealed_key -> Binary,
        requested_by -> Text,
        requested_at -> BigInt,
        certificate -> Nullable<Binary>,
        topic -> Nullable<Text>,
        not_after -> Nullable<BigInt>,
        imported_by -> Nullable<Text>,
        imported_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    access_excluded_groups (group_id) {
        group_id -> Binary,
    }
}

diesel::table! {
    access_exceptions (device_id) {
        device_id -> Binary,
        decision -> Text,
        until -> BigInt,
        note -> Text,
        created_by -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    gate_changes (sequence, device_id) {
        sequence -> BigInt,
        device_id -> Binary,
        at -> BigInt,
    }
}

diesel::table! {
    launcher_packages (id) {
        id -> Binary,
        file_name -> Text,
        package -> Text,
        version -> Nullable<Text>,
        length -> BigInt,
        sha256 -> Binary,
        certificate_sha256 -> Nullable<Binary>,
        uploaded_by -> Text,
        created_at -> BigInt,
        completed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    launcher_pieces (package_id, position) {
        package_id -> Binary,
        position -> Integer,
        content -> Binary,
    }
}

diesel::table! {
    launchers (enrollment_id) {
        enrollment_id -> Binary,
        cookie_hash -> Binary,
        panel_password -> Text,
        expires_at -> BigInt,
        configured_at -> Nullable<BigInt>,
        configured_version -> Nullable<Text>,
        version_since -> Nullable<BigInt>,
        confirmed_at -> Nullable<BigInt>,
        locked_at -> Nullable<BigInt>,
        lock_message -> Nullable<Text>,
    }
}

diesel::table! {
    launcher_numbers (hash) {
        hash -> Binary,
        enrollment_id -> Binary,
        sealed_number -> Binary,
        created_at -> BigInt,
        used_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    activation_files (enrollment_id) {
        enrollment_id -> Binary,
        visit_id -> Binary,
        sealed_file -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    mail_accounts (enrollment_id) {
        enrollment_id -> Binary,
        version -> Nullable<Text>,
        rotation -> Integer,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        last_address -> Nullable<Text>,
    }
}

diesel::table! {
    mail_passwords (hash) {
        hash -> Binary,
        enrollment_id -> Binary,
        command_id -> Binary,
        login -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    wipes_handed_out (command_id) {
        command_id -> Binary,
        device_id -> Binary,
        at -> BigInt,
    }
}

diesel::table! {
    protected_links (id) {
        id -> Binary,
        target -> Text,
        note -> Text,
        recipient -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        withdrawn_at -> Nullable<BigInt>,
        file_name -> Nullable<Text>,
        file_length -> Nullable<BigInt>,
    }
}

diesel::table! {
    protected_files (link_id) {
        link_id -> Binary,
        kind -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    protected_file_pieces (link_id, position) {
        link_id -> Binary,
        position -> Integer,
        sealed_content -> Binary,
    }
}

diesel::table! {
    mail_files (mail_id) {
        mail_id -> Binary,
        link_id -> Binary,
    }
}

diesel::table! {
    link_events (id) {
        id -> Binary,
        link_id -> Binary,
        user_id -> Binary,
        device_id -> Nullable<Binary>,
        at -> BigInt,
        kind -> Text,
    }
}

diesel::joinable!(access_excluded_groups -> groups (group_id));
diesel::joinable!(access_exceptions -> devices (device_id));
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
diesel::joinable!(browsers -> enrollments (enrollment_id));
diesel::joinable!(gate_cookies -> browsers (enrollment_id));
diesel::joinable!(gate_tickets -> browsers (enrollment_id));
diesel::joinable!(codes -> visits (visit_id));
diesel::joinable!(challenges -> enrollments (enrollment_id));
diesel::joinable!(certificates -> enrollments (enrollment_id));
diesel::joinable!(commands -> enrollments (enrollment_id));
diesel::joinable!(commands -> devices (device_id));
diesel::joinable!(mails -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(webhook_deliveries -> webhooks (webhook_id));
diesel::joinable!(ladders -> devices (device_id));
diesel::joinable!(import_lines -> imports (import_id));
diesel::joinable!(launcher_pieces -> launcher_packages (package_id));
diesel::joinable!(launcher_numbers -> launchers (enrollment_id));
diesel::joinable!(launchers -> enrollments (enrollment_id));
diesel::joinable!(activation_files -> enrollments (enrollment_id));
diesel::joinable!(activation_files -> visits (visit_id));
diesel::joinable!(mail_accounts -> enrollments (enrollment_id));
diesel::joinable!(mail_passwords -> enrollments (enrollment_id));
diesel::joinable!(link_events -> protected_links (link_id));
diesel::joinable!(mail_files -> protected_links (link_id));
diesel::joinable!(link_events -> users (user_id));
diesel::joinable!(link_events -> devices (device_id));
diesel::joinable!(api_tokens -> users (created_by_user));
diesel::allow_tables_to_appear_in_same_query!(
    access_excluded_groups,
    access_exceptions,
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
    device_tallies,
    device_finder,
    user_finder,
    postures,
    device_events,
    enrollments,
    invitations,
    visits,
    browsers,
    gate_cookies,
    gate_tickets,
    codes,
    challenges,
    certificates,
    commands,
    jobs,
    mails,
    sessions,
    sign_in_failures,
    census,
    webhooks,
    wipes_handed_out,
    webhook_deliveries,
    imports,
    import_lines,
    rollouts,
    mail_texts,
    saved_reports,
    ladders,
    launcher_packages,
    launcher_pieces,
    launchers,
    launcher_numbers,
    activation_files,
    mail_accounts,
    mail_passwords,
    protected_links,
    protected_files,
    protected_file_pieces,
    mail_files,
    link_events
);
