//! Identifiers: `UUIDv7` newtypes, sixteen bytes in the database, a UUID string everywhere else.

/// Defines one identifier type.
macro_rules! uuid_id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
                 utoipa::ToSchema, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Binary)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new identifier; identifiers made later sort later.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default identifier that differs each time would surprise")]
            pub fn new() -> Self { Self(uuid::Uuid::now_v7()) }

            /// The least identifier that can have been made so many seconds ago.
            #[must_use]
            pub fn made_before(seconds: u64) -> Self {
                let (now, _) = uuid::Uuid::now_v7().get_timestamp().map_or((0, 0), |time| time.to_unix());
                let millis = now.saturating_sub(seconds).saturating_mul(1000);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
            }

            /// The identifier of exactly these sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(uuid::Uuid::from_bytes(bytes)) }

            /// Its sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] { self.0.as_bytes() }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> uuid::Uuid { self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Binary, DB> for $name
        where DB: diesel::backend::Backend, [u8]: diesel::serialize::ToSql<diesel::sql_types::Binary, DB> {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                self.as_bytes().as_slice().to_sql(out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Binary, DB> for $name
        where DB: diesel::backend::Backend, Vec<u8>: diesel::deserialize::FromSql<diesel::sql_types::Binary, DB> {
            fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let bytes = <Vec<u8> as diesel::deserialize::FromSql<diesel::sql_types::Binary, DB>>::from_sql(bytes)?;
                Ok(Self(uuid::Uuid::from_slice(&bytes)?))
            }
        }
    )+ };
}

uuid_id! {
    /// An employee.
    UserId,
    /// A group of users.
    GroupId,
    /// An iPhone, iPad, Android phone or browser of a user.
    DeviceId,
    /// One device's time under management.
    EnrollmentId,
    /// A command for one enrollment.
    CommandId,
    /// A passcode and compliance policy.
    PolicyId,
    /// An API token.
    TokenId,
    /// The mail that asks a user to enroll.
    InvitationId,
    /// One browser's walk through the portal.
    VisitId,
    /// A protected link.
    LinkId,
    /// Something that a person did with a protected link.
    LinkEventId,
    /// A code sent to a mailbox.
    CodeId,
    /// A certificate in the database.
    CertificateId,
    /// A one-time right to obtain a certificate.
    ChallengeId,
    /// A mail in the outbox.
    MailId,
    /// Work that happens after a commit.
    JobId,
    /// One line of a device's timeline.
    EventId,
    /// A push certificate, or the request for one.
    PushCertificateId,
    /// A session of the console.
    SessionId,
    /// A sign-in that failed.
    FailureId,
    /// A system that is told of events.
    WebhookId,
    /// The telling of one event to one system.
    DeliveryId,
    /// Many users at once.
    ImportId,
    /// A view of the compliance report that somebody saved.
    SavedReportId,
    /// A change on its way to the devices that it concerns.
    RolloutId,
    /// A package of the Android launcher that was uploaded.
    LauncherPackageId,
}
