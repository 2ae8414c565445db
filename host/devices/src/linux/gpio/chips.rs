//! The chips that there are, and where on them a line is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use gpiocdev_uapi::v2::{self, LineFlags};
use gpiocdev_uapi::{NAME_LEN_MAX, Name};
use rustix::io::Errno;

use super::{QUEUE, errno};
use crate::gpio::{Direction, Error, LineInfo, LineRequest};

const FOLDER: &str = "/dev";

/// Opened anew for each look: chips come and go.
pub(in super::super) struct Chips {
    chips: Vec<Chip>,
    /// One that is there and cannot be opened.
    denied: Option<String>,
}

struct Chip {
    file: File,
    name: String,
    label: String,
    lines: u32,
}

/// A line that is kept for its holder, as it was.
pub(in super::super) struct Reserved {
    file: File,
    /// Its chip, for people.
    device: String,
    /// The chip's label, where the line was asked for by the chip's name: that is a
    /// number, which another can get.
    pub(super) label: Option<String>,
}

/// Where a line is.
pub(super) struct Place<'a> {
    chip: &'a Chip,
    offset: u32,
}

impl Chips {
    pub(in super::super) fn open() -> Self {
        let mut chips = Self {
            chips: Vec::new(),
            denied: None,
        };
        let mut known = BTreeSet::new();
        for path in paths() {
            match Chip::open(&path) {
                Ok((device, chip)) if known.insert(device) => chips.chips.push(chip),
                Err(Errno::ACCESS | Errno::PERM) => chips.denied = Some(path),
                // One that is known: boards keep an older number as a link. Or it
                // has gone just now, or is something else.
                Ok(_) | Err(_) => {}
            }
        }
        chips
    }

    /// Every line, by the name to request it by: its own, or where it is where
    /// it has none, or one that another has too.
    pub(in super::super) fn lines(&self) -> Vec<LineInfo> {
        let mut once = BTreeSet::new();
        let mut twice = BTreeSet::new();
        let lines: Vec<_> = self.places().collect();
        for (_, info) in &lines {
            let name = text(&info.name);
            if !once.insert(name.clone()) {
                twice.insert(name);
            }
        }
        let entry = |(place, info): &(Place<'_>, v2::LineInfo)| {
            let name = text(&info.name);
            let by_place = name.is_empty() || twice.contains(&name);
            let output = info.flags.contains(LineFlags::OUTPUT);
            LineInfo {
                name: if by_place { place.name() } else { name },
                consumer: consumer(info),
                direction: if output {
                    Direction::Output { initial: false }
                } else {
                    Direction::Input
                },
                level: None,
                active_low: info.flags.contains(LineFlags::ACTIVE_LOW),
            }
        };
        lines.iter().map(entry).collect()
    }

    /// A line by its name, over all chips; else by its place, `CHIP:OFFSET`,
    /// where the chip goes by its name or its label.
    pub(super) fn find(&self, line: &str) -> Result<Place<'_>, Error> {
        let named: Vec<_> = self
            .places()
            .filter(|(_, info)| text(&info.name) == line)
            .map(|(place, _)| place)
            .collect();
        let mut found = if named.is_empty() {
            self.by_place(line)
        } else {
            named
        };
        if found.len() > 1 {
            let places: Vec<_> = found.iter().map(Place::name).collect();
            return Err(Error::Ambiguous {
                line: line.to_owned(),
                places: places.join("`, `"),
                example: places[0].clone(),
            });
        }
        found.pop().ok_or_else(|| self.missing(line))
    }

    fn by_place(&self, line: &str) -> Vec<Place<'_>> {
        let Some((chip, offset)) = line.rsplit_once(':') else {
            return Vec::new();
        };
        let Ok(offset) = offset.parse() else {
            return Vec::new();
        };
        let called = |name: fn(&Chip) -> &str| -> Vec<_> {
            let chips = self.chips.iter();
            let chips = chips.filter(|known| name(known) == chip && offset < known.lines);
            chips.map(|chip| Place { chip, offset }).collect()
        };
        let by_name = called(|chip| &chip.name);
        if by_name.is_empty() {
            called(|chip| &chip.label)
        } else {
            by_name
        }
    }

    fn places(&self) -> impl Iterator<Item = (Place<'_>, v2::LineInfo)> {
        self.chips.iter().flat_map(|chip| {
            (0..chip.lines).filter_map(move |offset| {
                let info = v2::get_line_info(&chip.file, offset).ok()?;
                Some((Place { chip, offset }, info))
            })
        })
    }

    fn missing(&self, line: &str) -> Error {
        const SHOWN: usize = 8;
        if let Some(chip) = &self.denied {
            return Error::Denied {
                line: line.to_owned(),
                chip: chip.clone(),
            };
        }
        let mut names: Vec<_> = self.lines().into_iter().map(|info| info.name).collect();
        // Those with a name of their own first: few are needed by their place.
        names.sort_by_key(|name| name.contains(':'));
        let shown: Vec<_> = names
            .iter()
            .take(SHOWN)
            .map(|name| format!("`{name}`"))
            .collect();
        Error::NoLine {
            line: line.to_owned(),
            known: match names.len() {
                0 => format!("no GPIO chips, `{FOLDER}/gpiochip*`"),
                n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
                _ => shown.join(", "),
            },
        }
    }
}

impl Chip {
    /// With the number of its device, which is one by all its names.
    fn open(path: &str) -> Result<(u64, Self), Errno> {
        let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let file = File::open(path).map_err(failed)?;
        let device = file.metadata().map_err(failed)?.rdev();
        let info = v2::get_chip_info(&file).map_err(|error| failed(errno(&error)))?;
        let chip = Self {
            file,
            name: text(&info.name),
            label: text(&info.label),
            lines: info.num_lines,
        };
        Ok((device, chip))
    }
}

impl Place<'_> {
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.chip.name, self.offset)
    }

    /// Keeps the line as it is.
    pub(super) fn reserve(&self, request: &LineRequest) -> Result<Reserved, Error> {
        let mut wanted = v2::LineRequest {
            consumer: short(&request.consumer),
            num_lines: 1,
            event_buffer_size: QUEUE,
            ..Default::default()
        };
        wanted.offsets.set(0, self.offset);
        let file = v2::get_line(&self.chip.file, wanted)
            .map_err(|error| self.refused(request, errno(&error)))?;
        rustix::io::ioctl_fionbio(&file, true).map_err(|errno| Error::Io {
            line: request.line.clone(),
            operation: "become non-blocking",
            source: errno.into(),
        })?;
        Ok(Reserved {
            file,
            device: self.device(),
            label: self
                .is_by_number(&request.line)
                .then(|| self.chip.label.clone()),
        })
    }

    fn refused(&self, request: &LineRequest, source: std::io::Error) -> Error {
        let line = request.line.clone();
        match Errno::from_io_error(&source) {
            Some(Errno::BUSY) => Error::Busy {
                line,
                consumer: self.holder(),
            },
            Some(Errno::ACCESS) => Error::Denied {
                line,
                chip: format!("{FOLDER}/{}", self.chip.name),
            },
            _ => Error::Io {
                line,
                operation: "be requested",
                source,
            },
        }
    }

    fn is_by_number(&self, line: &str) -> bool {
        let place = line.rsplit_once(':');
        place.is_some_and(|(chip, _)| chip == self.chip.name)
    }

    fn device(&self) -> String {
        format!("`{}` ({})", self.chip.name, self.chip.label)
    }

    fn holder(&self) -> String {
        let info = v2::get_line_info(&self.chip.file, self.offset);
        let holder = info.ok().as_ref().and_then(consumer);
        holder.unwrap_or_else(|| NAMELESS.to_owned())
    }
}

impl Reserved {
    /// Opens the line; `config` is of this request.
    pub(super) fn open(self, request: &LineRequest, config: v2::LineConfig) -> Result<File, Error> {
        match v2::set_line_config(&self.file, config) {
            Ok(()) => Ok(self.file),
            Err(error) => Err(self.refused(request, errno(&error))),
        }
    }

    fn refused(self, request: &LineRequest, source: std::io::Error) -> Error {
        /// What chips say that cannot do something; the C libraries have no name
        /// for it.
        const ENOTSUPP: i32 = 524;
        let (line, device) = (request.line.clone(), self.device);
        let of_inputs = request.edges.is_some() || request.debounce.is_some();
        match Errno::from_io_error(&source) {
            Some(Errno::NXIO | Errno::OPNOTSUPP) if of_inputs => Error::Unsupported {
                line,
                feature: "an interrupt",
                device,
                remedy: "leave `edges` and `debounce` out, or use another line",
            },
            Some(errno) if errno == Errno::OPNOTSUPP || errno.raw_os_error() == ENOTSUPP => {
                Error::Unsupported {
                    line,
                    feature: "the direction, bias or drive",
                    device,
                    remedy: "ask for another, or use another line",
                }
            }
            _ => Error::Io {
                line,
                operation: "be configured",
                source,
            },
        }
    }
}

/// Who has a line and gives no name.
const NAMELESS: &str = "somebody without a name";

pub(in super::super) fn consumer(info: &v2::LineInfo) -> Option<String> {
    let used = info.flags.contains(LineFlags::USED);
    let name = text(&info.consumer);
    used.then(|| {
        if name.is_empty() {
            NAMELESS.to_owned()
        } else {
            name
        }
    })
}

/// By their numbers.
fn paths() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("gpiochip")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
        .iter()
        .map(|number| format!("{FOLDER}/gpiochip{number}"))
        .collect()
}

pub(in super::super) fn text(name: &Name) -> String {
    String::from_utf8_lossy(name.as_os_str().as_bytes()).into_owned()
}

/// As much as the kernel takes.
fn short(consumer: &str) -> Name {
    let end = consumer.floor_char_boundary(NAME_LEN_MAX - 1);
    Name::from_bytes(&consumer.as_bytes()[..end])
}
