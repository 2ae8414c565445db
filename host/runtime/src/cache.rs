//! The cache of compiled components.
//!
//! Compiled code is native code: whoever can write it runs as the host. So
//! the directory must belong to the host's user and be closed to others, and
//! every entry carries a SHA-256 over engine, settings, component and code. An
//! entry that is truncated or changed is compiled anew and replaced.

use crate::control::to_hex;
use crate::error::ComponentError;
use crate::precompiled::load;
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAGIC: &[u8; 16] = b"loopgate cache 1";
const DIGEST: usize = 32;

/// What all entries together may take, in bytes: a driver's have some hundred
/// kilobytes, and every build of it makes another.
const SIZE_MAX: u64 = 256 << 20;

/// A directory of compiled components that only its owner can enter.
pub(crate) struct Cache {
    directory: PathBuf,
    size_max: u64,
}

impl Cache {
    /// Opens or makes the directory; refuses one that others could write.
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let shown = directory.display();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| format!("cache directory `{shown}` cannot be made: {error}"))?;
        let meta = std::fs::symlink_metadata(directory)
            .map_err(|error| format!("cache directory `{shown}` cannot be read: {error}"))?;
        let mine = meta.uid() == rustix::process::geteuid().as_raw();
        if !meta.is_dir() || !mine || meta.mode() & 0o077 != 0 {
            return Err(format!(
                "cache directory `{shown}` must belong to this user and be closed to others; `chmod 700` it, or name another"
            ));
        }
        Ok(Self {
            directory: directory.to_owned(),
            size_max: SIZE_MAX,
        })
    }

    /// `$XDG_CACHE_HOME/loopgate`, else `~/.cache/loopgate`.
    pub(crate) fn default_directory() -> Option<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .map(|base| base.join("loopgate"))
    }

    /// The compiled component, from the cache or made by `compile` and kept.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        name: &str,
        bytes: &[u8],
        compile: impl FnOnce() -> Result<Component, ComponentError>,
    ) -> Result<Component, ComponentError> {
        let key = key(engine, bytes);
        let path = self.directory.join(to_hex(&key));
        match read(&path) {
            Ok(entry) => match verify(&key, &entry).and_then(|code| load(engine, code)) {
                Ok(component) => {
                    used_now(&path);
                    return Ok(component);
                }
                Err(cause) => tracing::warn!(
                    "cache entry `{}` of `{name}` is unusable ({cause}); compiling anew",
                    path.display()
                ),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(
                "cache entry `{}` of `{name}` cannot be read ({error}); compiling anew",
                path.display()
            ),
        }
        let component = compile()?;
        if let Err(error) = self.keep(&key, &path, &component) {
            tracing::warn!(
                "compiled `{name}` cannot be kept in `{}`: {error}",
                self.directory.display()
            );
        }
        self.make_room(&path);
        Ok(component)
    }

    /// Removes what was not used for the longest time, as far as all entries
    /// together take too much; never `latest`. What fails is tried next time.
    fn make_room(&self, latest: &Path) {
        let Ok(listed) = std::fs::read_dir(&self.directory) else {
            return;
        };
        let mut entries: Vec<_> = listed
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut size: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, freed, path) in entries {
            if size <= self.size_max {
                return;
            }
            if path != latest && std::fs::remove_file(path).is_ok() {
                size -= freed;
            }
        }
    }

    /// A name that nobody else writes to: not another host, nor another board of
    /// this one.
    fn aside(&self, key: &[u8; DIGEST]) -> PathBuf {
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (std::process::id(), LATEST.fetch_add(1, Relaxed));
        self.directory
            .join(format!("{}.{process}.{number}", to_hex(key)))
    }

    /// Written aside and renamed, so that a reader finds all of it or nothing.
    fn keep(&self, key: &[u8; DIGEST], path: &Path, component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|error| error.to_string())?;
        let aside = self.aside(key);
        let write = || {
            let mut file = std::fs::File::create(&aside)?;
            file.write_all(MAGIC)?;
            file.write_all(&seal(key, &code))?;
            file.write_all(&code)?;
            std::fs::rename(&aside, path)
        };
        write().map_err(|error| {
            // What is left would only take space.
            let _ = std::fs::remove_file(&aside);
            error.to_string()
        })
    }
}

/// An entry, bounded: what is longer than any is torn like what is too short.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut entry = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(SIZE_MAX).read_to_end(&mut entry)?;
    Ok(entry)
}

/// So that it is not the first one to make room.
fn used_now(path: &Path) {
    let file = std::fs::File::options().append(true).open(path);
    // A directory that cannot be written is used all the same.
    let _ = file.and_then(|file| file.set_modified(std::time::SystemTime::now()));
}

/// What an entry is for: this engine with these settings, and this component.
fn key(engine: &Engine, bytes: &[u8]) -> [u8; DIGEST] {
    let mut settings = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    Sha256::new()
        .chain_update(settings.finish().to_le_bytes())
        .chain_update(bytes)
        .finalize()
        .into()
}

fn seal(key: &[u8; DIGEST], code: &[u8]) -> [u8; DIGEST] {
    Sha256::new()
        .chain_update(key)
        .chain_update(code)
        .finalize()
        .into()
}

/// The code of an entry whose seal holds.
fn verify<'a>(key: &[u8; DIGEST], entry: &'a [u8]) -> Result<&'a [u8], String> {
    let rest = entry.strip_prefix(MAGIC).ok_or("it is no cache entry")?;
    let (digest, code) = rest.split_at_checked(DIGEST).ok_or("it is truncated")?;
    if digest == seal(key, code) {
        Ok(code)
    } else {
        Err("its digest does not match its content".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const COMPONENT: &[u8] = &[0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn compiled(cache: &Cache, engine: &Engine, count: &Cell<u32>) {
        let compile = || {
            count.set(count.get() + 1);
            Ok(Component::from_binary(engine, COMPONENT).unwrap())
        };
        cache.component(engine, "test", COMPONENT, compile).unwrap();
    }

    #[test]
    fn an_entry_serves_until_it_is_damaged_and_is_then_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let engine = Engine::default();
        let count = Cell::new(0);
        compiled(&cache, &engine, &count);
        compiled(&cache, &engine, &count);
        assert_eq!(count.get(), 1);

        let path = cache.directory.join(to_hex(&key(&engine, COMPONENT)));
        let whole = std::fs::read(&path).unwrap();
        let mut damages = vec![
            Vec::new(),
            whole[..20].to_vec(),
            whole[..whole.len() - 1].to_vec(),
        ];
        for position in [0, 16, 48, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[position] ^= 1;
            damages.push(flipped);
        }
        for (round, damaged) in damages.into_iter().enumerate() {
            std::fs::write(&path, damaged).unwrap();
            compiled(&cache, &engine, &count);
            assert_eq!(count.get(), 2 + u32::try_from(round).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn an_entry_cut_anywhere_or_with_any_bit_flipped_is_no_entry() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let engine = Engine::default();
        compiled(&cache, &engine, &Cell::new(0));
        let key = key(&engine, COMPONENT);
        let whole = std::fs::read(cache.directory.join(to_hex(&key))).unwrap();
        assert!(verify(&key, &whole).is_ok());
        for length in 0..whole.len() {
            assert!(verify(&key, &whole[..length]).is_err(), "{length}");
        }
        // xorshift, from a fixed seed.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let position = (random >> 3) as usize % whole.len();
            let mut flipped = whole.clone();
            flipped[position] ^= 1 << (random & 7);
            assert!(verify(&key, &flipped).is_err(), "{position}");
        }
        let other = super::key(&engine, b"another component");
        assert!(verify(&other, &whole).is_err());
    }

    #[test]
    fn many_fill_it_at_once_and_none_is_hurt() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("cache");
        let engine = Engine::default();
        let fill = || {
            let cache = Cache::open(&place).unwrap();
            let entry = cache.directory.join(to_hex(&key(&engine, COMPONENT)));
            for _ in 0..50 {
                // What another one has kept meanwhile may be gone already.
                let _ = std::fs::remove_file(&entry);
                compiled(&cache, &engine, &Cell::new(0));
                let found = std::fs::read(&entry);
                let whole = |entry: Vec<u8>| verify(&key(&engine, COMPONENT), &entry).is_ok();
                assert!(found.map_or(true, whole));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(fill);
            }
        });
        let cache = Cache::open(&place).unwrap();
        compiled(&cache, &engine, &Cell::new(0));
        // Nothing was left aside.
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
    }

    #[test]
    fn what_was_not_used_for_long_makes_room() {
        use std::time::{Duration, SystemTime};
        let directory = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(&directory.path().join("cache")).unwrap();
        let engine = Engine::default();
        let count = Cell::new(0);
        compiled(&cache, &engine, &count);
        let kept = cache.directory.join(to_hex(&key(&engine, COMPONENT)));
        let entry = std::fs::metadata(&kept).unwrap().len();
        let old = |number: u64| {
            let path = cache.directory.join(number.to_string());
            let file = std::fs::File::create(&path).unwrap();
            file.set_len(entry).unwrap();
            let age = Duration::from_secs(1000 - number);
            file.set_modified(SystemTime::now() - age).unwrap();
            path
        };
        let others: Vec<_> = (0..4).map(old).collect();
        // The oldest of all, until it is used.
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        let file = std::fs::File::options().append(true).open(&kept).unwrap();
        file.set_modified(long_ago).unwrap();
        compiled(&cache, &engine, &count);
        cache.size_max = 3 * entry;
        cache.make_room(&others[0]);
        let left = others.iter().map(|path| path.exists());
        assert_eq!(left.collect::<Vec<_>>(), [true, false, false, true]);
        assert!(kept.exists() && count.get() == 1);
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            Cache::open(directory.path()).is_err_and(|error| error.contains("closed to others"))
        );
    }
}
