//! Calls to Redis, by a script's digest or as plain commands, and the probe that stands for them.

use redis::{Arg, Cmd, Value};

/// A Lua script with the digest by which Redis caches it.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    /// Computes the digest (SHA-1) of a script's text.
    pub fn new(text: &'static str) -> Self {
        let digest = redis::Script::new(text).get_hash().to_owned();
        Self { text, digest }
    }

    /// Rebuilds an `EVALSHA` as an `EVAL`, for a Redis that does not have the script in its cache.
    pub(super) fn with_text(&self, command: &Cmd) -> Cmd {
        let mut whole = redis::cmd("EVAL");
        whole.arg(self.text);
        for arg in command.args_iter().skip(2) {
            if let Arg::Simple(arg) = arg {
                whole.arg(arg);
            }
        }
        whole
    }
}

/// A command with the key that decides which process of a cluster gets it.
#[derive(Clone)]
pub struct Call {
    key: Option<String>,
    command: Cmd,
    script: Option<&'static Script>,
}

impl Call {
    /// A call of a script with up to two keys, which must lie in one slot, and its arguments.
    pub fn script(script: &'static Script, keys: [Option<String>; 2], args: &[&[u8]]) -> Self {
        let n_keys = keys.iter().flatten().count();
        // 256 bytes hold the arguments of most calls.
        let mut command = Cmd::with_capacity(3 + n_keys + args.len(), 256);
        command.arg("EVALSHA").arg(&script.digest).arg(n_keys);
        keys.iter().flatten().for_each(|key| {
            command.arg(key);
        });
        args.iter().for_each(|arg| {
            command.arg(arg);
        });
        let [first, second] = keys;
        Self {
            key: first.or(second),
            command,
            script: Some(script),
        }
    }

    /// A plain command on one key: its name, the key, the arguments.
    pub fn command(name: &str, key: String, args: &[&[u8]]) -> Self {
        let mut command = redis::cmd(name);
        command.arg(&key);
        args.iter().for_each(|arg| {
            command.arg(arg);
        });
        Self {
            key: Some(key),
            command,
            script: None,
        }
    }

    /// The key that decides where the call goes; `None` if it touches none.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The command itself.
    pub(super) const fn cmd(&self) -> &Cmd {
        &self.command
    }

    /// The same call with the script's text, which also puts it into Redis' cache; `None` for a plain command.
    pub(super) fn with_text(&self) -> Option<Cmd> {
        self.script.map(|script| script.with_text(&self.command))
    }

    /// Splits the call into its command and its script.
    pub(super) fn into_parts(self) -> (Cmd, Option<&'static Script>) {
        (self.command, self.script)
    }
}

impl std::fmt::Debug for Call {
    /// Without keys and arguments.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call(..)")
    }
}

/// The call by which a node is found well again. It should need everything that real calls need: whatever fails those
/// (a permission, a full memory, a read-only replica) then fails the probe too.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// Makes the call on the probe's key, `moderato:1:{probe:<n>}`.
    pub call: fn(key: String) -> Call,
    /// Tells an answer of a working Redis from any other.
    pub is_answer: fn(&Value) -> bool,
}

impl Probe {
    /// The key that probe number `n` uses. In a cluster, numbers are tried until one falls into the node's slots.
    pub(super) fn key(n: u32) -> String {
        format!("moderato:1:{{probe:{n}}}")
    }

    /// Probe number `n` as a call.
    pub(super) fn number(self, n: u32) -> Call {
        (self.call)(Self::key(n))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use redis::{Arg, Cmd};

    use super::{Call, Script};

    static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new("return 1"));

    fn args(command: &Cmd) -> Vec<Vec<u8>> {
        let args = command.args_iter().map(|arg| match arg {
            Arg::Simple(bytes) => bytes.to_vec(),
            _ => panic!("no call has a cursor"),
        });
        args.collect()
    }

    #[test]
    fn a_call_is_the_same_with_the_text() {
        let call = Call::script(&SCRIPT, [None, Some("k".into())], &[b"a", b"b"]);
        assert_eq!(call.key(), Some("k"));
        let (by_digest, by_text) = (args(call.cmd()), args(&call.with_text().unwrap()));
        assert_eq!(
            by_digest[..2],
            [b"EVALSHA".to_vec(), SCRIPT.digest.clone().into_bytes()]
        );
        assert_eq!(by_text[..2], [b"EVAL".to_vec(), b"return 1".to_vec()]);
        assert_eq!(by_digest[2..], by_text[2..]);
        assert_eq!(
            by_text[2..],
            [b"1".to_vec(), b"k".to_vec(), b"a".to_vec(), b"b".to_vec()]
        );
    }

    #[test]
    fn a_command_has_no_text() {
        let call = Call::command("DEL", "k".into(), &[]);
        assert_eq!(args(call.cmd()), [b"DEL".to_vec(), b"k".to_vec()]);
        assert!(call.with_text().is_none());
    }
}
