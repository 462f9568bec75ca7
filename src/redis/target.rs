//! The target of a Redis URL; the forms of `--redis URL` are:
//!
//! ```text
//! redis://[[user]:password@]host[:port][/db]                        rediss://… with TLS
//! unix:///path/to/socket[?db=1&user=u&pass=p]                       also redis+unix://
//! redis+sentinel://[[user]:password@]h1[:26379][,h2…]/master[/db]   rediss+sentinel://… with TLS to all of them
//!     [?sentinel_user=u&sentinel_password=p]
//! redis+cluster://[[user]:password@]h1[:6379][,h2…]                 rediss+cluster://… with TLS
//! ```
//!
//! User and password are percent-encoded where needed; for Sentinel they are the master's. An error shows the URL
//! without them.

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::error::InvalidSettings;

/// A Redis process, or the way to several.
#[derive(Clone)]
pub(super) enum Target {
    /// A single Redis.
    Single(ConnectionInfo),
    /// Sentinels that know the address of a master.
    Sentinel {
        /// The sentinels to ask.
        sentinels: Vec<ConnectionInfo>,
        /// The name of the master.
        name: String,
        /// The login at the master; its address is a placeholder.
        master: ConnectionInfo,
    },
    /// A cluster, by some of its nodes; they tell of the others.
    Cluster {
        /// The nodes named.
        seeds: Vec<ConnectionInfo>,
    },
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// If the URL has none of the forms; without user and password.
    pub(super) fn parse(url: &str) -> Result<Self, InvalidSettings> {
        let refuse = |problem: &'static str| InvalidSettings::Url {
            url: redact(url),
            problem,
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(refuse("a URL is needed, such as redis://127.0.0.1:6379"));
        };
        match scheme {
            "redis" | "rediss" => {
                if rest.split(['/', '?']).next().is_some_and(|hosts| hosts.contains(',')) {
                    return Err(refuse("several hosts need redis+cluster:// or redis+sentinel://"));
                }
                Ok(Self::Single(info(url).ok_or_else(|| {
                    refuse("the form is redis://[user:password@]host[:port][/db]")
                })?))
            }
            "unix" | "redis+unix" => Ok(Self::Single(
                info(url).ok_or_else(|| refuse("the form is unix:///path/to/socket[?db=1]"))?,
            )),
            "redis+sentinel" | "rediss+sentinel" => sentinel(scheme.trim_end_matches("+sentinel"), rest)
                .ok_or_else(|| refuse("the form is redis+sentinel://[user:password@]host[:port][,host…]/master[/db]")),
            "redis+cluster" | "rediss+cluster" => cluster(scheme.trim_end_matches("+cluster"), rest).ok_or_else(|| {
                refuse("the form is redis+cluster://[user:password@]host[:port][,host…], without a database")
            }),
            _ => Err(refuse(
                "the scheme is none of redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster",
            )),
        }
    }

    /// The login of any endpoint: all are reached in the same way.
    pub(super) fn any(&self) -> Option<&ConnectionInfo> {
        match self {
            Self::Single(info) => Some(info),
            Self::Sentinel { master, .. } => Some(master),
            Self::Cluster { seeds } => seeds.first(),
        }
    }
}

/// The URL without user, password and query: fit for a log. What looks like a query may be the rest of a password that
/// was not percent-encoded: then only the scheme is shown.
pub fn redact(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let rest = if query.contains('@') { "…" } else { rest };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

fn info(url: &str) -> Option<ConnectionInfo> {
    url.into_connection_info().ok()
}

fn sentinel(scheme: &str, rest: &str) -> Option<Target> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/')?;
    let (user, hosts) = credentials(authority);
    let (name, db) = path.split_once('/').unwrap_or((path, "0"));
    let (mut sentinel_user, mut sentinel_password) = ("", "");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=')? {
            ("sentinel_user", value) => sentinel_user = value,
            ("sentinel_password", value) => sentinel_password = value,
            _ => return None,
        }
    }
    let login = if sentinel_password.is_empty() {
        String::new()
    } else {
        format!("{sentinel_user}:{sentinel_password}@")
    };
    let sentinels = hosts
        .split(',')
        .map(|host| info(&format!("{scheme}://{login}{}", with_port(host, 26379)?)));
    // The host is a placeholder: each connection asks a sentinel for the real one.
    let master = info(&format!("{scheme}://{user}master.invalid/{db}"))?;
    let sentinels = sentinels.collect::<Option<Vec<_>>>()?;
    (!name.is_empty()).then(|| Target::Sentinel {
        sentinels,
        name: name.to_owned(),
        master,
    })
}

fn cluster(scheme: &str, rest: &str) -> Option<Target> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return None;
    }
    let (user, hosts) = credentials(rest);
    let seeds = hosts
        .split(',')
        .map(|host| info(&format!("{scheme}://{user}{}", with_port(host, 6379)?)));
    Some(Target::Cluster {
        seeds: seeds.collect::<Option<Vec<_>>>()?,
    })
}

/// Splits `user:password@hosts`; the first part keeps its `@`.
fn credentials(authority: &str) -> (&str, &str) {
    authority
        .rfind('@')
        .map_or(("", authority), |at| authority.split_at(at + 1))
}

fn with_port(host: &str, port: u16) -> Option<String> {
    let last = host.rsplit(']').next()?;
    match (host.is_empty(), last.contains(':')) {
        (true, _) => None,
        (_, true) => Some(host.to_owned()),
        (_, false) => Some(format!("{host}:{port}")),
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            Self::Sentinel { .. } => "Sentinel",
            Self::Cluster { .. } => "Cluster",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, redact};
    use redis::ConnectionAddr;

    fn address(info: &redis::ConnectionInfo) -> String {
        match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => format!("tls {host}:{port}"),
            other => other.to_string(),
        }
    }

    /// A deployment as text: kind, addresses, user, password, database.
    fn read(url: &str) -> String {
        let login = |info: &redis::ConnectionInfo| {
            let redis = info.redis_settings();
            format!(
                "{}:{}/{}",
                redis.username().unwrap_or(""),
                redis.password().unwrap_or(""),
                redis.db()
            )
        };
        let all = |infos: &[redis::ConnectionInfo]| infos.iter().map(address).collect::<Vec<_>>().join(" ");
        match Target::parse(url) {
            Ok(Target::Single(info)) => format!("single {} {}", address(&info), login(&info)),
            Ok(Target::Sentinel {
                sentinels,
                name,
                master,
            }) => {
                format!(
                    "sentinel {} {} {name} {}",
                    all(&sentinels),
                    login(&sentinels[0]),
                    login(&master)
                )
            }
            Ok(Target::Cluster { seeds }) => format!("cluster {} {}", all(&seeds), login(&seeds[0])),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_form() {
        assert_eq!(read("redis://h"), "single h:6379 :/0");
        assert_eq!(read("rediss://u:p%40@h:1/3"), "single tls h:1 u:p@/3");
        assert_eq!(read("redis://:p@[::1]:7/2"), "single ::1:7 :p/2");
        assert_eq!(read("unix:///run/r.sock?db=2&pass=p"), "single /run/r.sock :p/2");
        assert_eq!(
            read("redis+sentinel://u:p@a,b:5/mymaster/3?sentinel_user=s&sentinel_password=t"),
            "sentinel a:26379 b:5 s:t/0 mymaster u:p/3"
        );
        assert_eq!(read("rediss+sentinel://a/m"), "sentinel tls a:26379 :/0 m :/0");
        assert_eq!(read("redis+cluster://u:p@a,b:5/"), "cluster a:6379 b:5 u:p/0");
        assert_eq!(read("rediss+cluster://[::1],a"), "cluster tls ::1:6379 tls a:6379 :/0");
    }

    #[test]
    fn refusals_name_the_remedy_and_no_secret() {
        for url in [
            "redis://u:geheim@a,b",
            "redis+cluster://u:geheim@a/1",
            "redis+sentinel://u:geheim@a",
            "x://u:geheim@a",
            "x://u:geheim?x@a",
            "redis+cluster://u:geheim?x@a",
        ] {
            let text = read(url);
            assert!(text.contains("redis+") && !text.contains("geheim"), "{text}");
        }
        let unencoded = read("redis://u:geheim?x@a");
        assert!(unencoded.starts_with("read the Redis URL redis://…: "), "{unencoded}");
        assert!(!redact("u:geheim?x@a").contains("geheim"));
        assert!(read("localhost").contains("redis://127.0.0.1:6379"));
        assert_eq!(
            redact("redis+sentinel://u:p@a/m?sentinel_password=x"),
            "redis+sentinel://a/m"
        );
    }
}
