//! The reasons for a Redis to be away, as a closed list, each with its remedy for an operator.

/// The reason for not sending to a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No attempt to connect has ended yet.
    Connecting,
    /// Nothing listens at the address.
    Refused,
    /// The host name or the route leads nowhere.
    Unreachable,
    /// Redis does not answer in time.
    Timeout,
    /// The connection was closed or broke off.
    Cut,
    /// TLS could not be agreed on.
    Tls,
    /// The program at the address does not speak Redis' protocol.
    NotRedis,
    /// The password or the user is wrong, or one is required.
    WrongPassword,
    /// The user may not do what moderato needs.
    NoPermission,
    /// Redis is a replica, or was made read-only.
    ReadOnly,
    /// Redis has no memory left and may not evict.
    Full,
    /// Redis refuses writes because it cannot save them.
    CannotSave,
    /// Redis is still reading its data in.
    Loading,
    /// Redis is busy with somebody's script.
    Busy,
    /// Redis takes no more clients.
    TooManyClients,
    /// The cluster does not serve this part of the keys now.
    ClusterDown,
    /// The URL names a cluster and Redis is none, or the other way round.
    WrongKind,
    /// Sentinel knows of no master.
    NoMaster,
    /// The database number does not exist there.
    NoDatabase,
    /// Redis answered with an error that is not known here.
    Unexpected,
}

impl Cause {
    /// A short word for metrics.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The event and its remedy, as a fragment for a log line.
    pub const fn message(self) -> &'static str {
        self.row().1
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Connecting => ("connecting", "not connected yet"),
            Self::Refused => (
                "refused",
                "nothing listens there; start Redis, or correct host and port in --redis",
            ),
            Self::Unreachable => (
                "unreachable",
                "no way to that host; correct the name in --redis, or check DNS and network",
            ),
            Self::Timeout => (
                "timeout",
                "no answer within the time budget; look for a stalled or overloaded Redis (SLOWLOG GET, INFO) or a slow \
                 network, for rediss:// where the port speaks no TLS, or raise the budget",
            ),
            Self::Cut => (
                "cut",
                "the connection broke; if it comes back, Redis was restarted; if not, see whether the port expects TLS \
                 (rediss://), or maxclients is reached",
            ),
            Self::Tls => (
                "tls",
                "TLS failed; check that the port speaks TLS, that its certificate names this host, and which authority \
                 signed it",
            ),
            Self::NotRedis => (
                "not_redis",
                "what listens there is not a Redis; correct host and port in --redis",
            ),
            Self::WrongPassword => (
                "wrong_password",
                "Redis refused the user or password; correct them in --redis (redis://user:password@host)",
            ),
            Self::NoPermission => (
                "no_permission",
                "the user lacks permission; allow it: ACL SETUSER <user> ~moderato:* +evalsha +eval +time +get +set \
                 +select, in a cluster also +cluster|slots; the sentinels' user needs +sentinel|get-master-addr-by-name",
            ),
            Self::ReadOnly => (
                "read_only",
                "this Redis is a replica and cannot count; point --redis at the master, or at Sentinel",
            ),
            Self::Full => (
                "full",
                "Redis is out of memory; raise maxmemory, or set maxmemory-policy to volatile-ttl",
            ),
            Self::CannotSave => (
                "cannot_save",
                "Redis refuses writes because it cannot save to disk; free the disk, or set stop-writes-on-bgsave-error \
                 no",
            ),
            Self::Loading => ("loading", "Redis is loading its data and will be back by itself"),
            Self::Busy => (
                "busy",
                "another script blocks Redis; find it and end it with SCRIPT KILL",
            ),
            Self::TooManyClients => ("too_many_clients", "Redis takes no more clients; raise maxclients"),
            Self::ClusterDown => (
                "cluster_down",
                "the cluster does not serve these keys; bring back the master or its replica (CLUSTER NODES shows which) \
                 the cluster does not serve these keys; bring back the master or its replica (CLUSTER NODES shows which)",
            ),
            Self::WrongKind => (
                "wrong_kind",
                "the URL does not fit: use redis+cluster:// for a cluster, and redis:// for a single Redis",
            ),
            Self::NoMaster => (
                "no_master",
                "no sentinel knows a master by that name; correct the name in --redis, or see SENTINEL MASTERS",
            ),
            Self::NoDatabase => (
                "no_database",
                "that database number does not exist; correct it in --redis, or raise databases",
            ),
            Self::Unexpected => (
                "unexpected",
                "Redis answered with an error that is not known here; look into its log",
            ),
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}
