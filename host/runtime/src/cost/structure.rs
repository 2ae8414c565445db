//! How much a component becomes when everything that it instantiates is written
//! out, as the engine does: 20 components of 26 bytes, each of which has two
//! instances of the one before, are a million instances. That took 12 s, and 28
//! of them more memory than there is.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentTypeRef,
    Encoding, Instance, Payload,
};

/// Instances, aliases and the like, with those of what is instantiated.
const ITEMS_MAX: u64 = 100_000;

/// How deep components stand in each other: 20,000 of them took minutes.
const DEPTH_MAX: usize = 32;

/// What was seen of a component so far.
#[derive(Default)]
pub(super) struct Structure {
    /// The components and modules that are open, the innermost last.
    open: Vec<Level>,
    /// What the largest component that is complete becomes. Nothing else can be
    /// instantiated, and which one it is does not matter.
    largest: u64,
    /// The items of all components, each counted once.
    total: u64,
    /// A component is handed around, and could be instantiated by any other.
    handed_around: bool,
}

struct Level {
    is_component: bool,
    items: u64,
}

impl Structure {
    pub(super) fn look_at(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => self.open.push(Level {
                is_component: *encoding == Encoding::Component,
                items: 0,
            }),
            Payload::End(_) => self.close(),
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    self.handed_around |= matches!(import?.ty, ComponentTypeRef::Component(_));
                    self.add(1);
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.handed_around |= takes_component(&alias?);
                    self.add(1);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    let items = match instance? {
                        ComponentInstance::Instantiate { args, .. } => self.instance(args.len()),
                        ComponentInstance::FromExports(exports) => exports.len() as u64,
                    };
                    self.add(items.saturating_add(1));
                }
            }
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    let items = match instance? {
                        Instance::Instantiate { args, .. } => args.len(),
                        Instance::FromExports(exports) => exports.len(),
                    };
                    self.add(items as u64 + 1);
                }
            }
            Payload::ComponentCanonicalSection(section) => self.add(section.count().into()),
            Payload::ComponentExportSection(section) => self.add(section.count().into()),
            Payload::ComponentTypeSection(section) => self.add(section.count().into()),
            Payload::CoreTypeSection(section) => self.add(section.count().into()),
            _ => {}
        }
        Ok(())
    }

    /// What is over its bound, with the remedy.
    pub(super) fn excess(&self) -> Option<String> {
        let items = self.open.last().map_or(0, |level| level.items);
        let what = if self.open.len() > DEPTH_MAX {
            format!("it has more than {DEPTH_MAX} components inside each other")
        } else if items.max(self.total) > ITEMS_MAX {
            format!("it comes to more than {ITEMS_MAX} instances, aliases and the like")
        } else if self.handed_around {
            "one of its components takes another one as an argument".to_owned()
        } else {
            return None;
        };
        Some(format!("{what}; link the driver into one component"))
    }

    fn add(&mut self, items: u64) {
        if let Some(level) = self.open.last_mut() {
            level.items = level.items.saturating_add(items);
        }
        self.total = self.total.saturating_add(items);
    }

    fn instance(&self, arguments: usize) -> u64 {
        self.largest.saturating_add(arguments as u64)
    }

    fn close(&mut self) {
        if let Some(level) = self.open.pop()
            && level.is_component
        {
            self.largest = self.largest.max(level.items);
        }
    }
}

fn takes_component(alias: &ComponentAlias<'_>) -> bool {
    matches!(
        alias,
        ComponentAlias::InstanceExport {
            kind: ComponentExternalKind::Component,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use crate::cost::bounded;
    use std::fmt::Write as _;

    fn refusal(text: &str) -> Option<String> {
        let bytes = wat::parse_str(text).unwrap();
        bounded("d.wasm", &bytes)
            .err()
            .map(|error| error.to_string())
    }

    /// Each component has two instances of the one before.
    fn doubled(times: usize) -> String {
        let mut text = String::from(
            "(component (component $c0 (core module $m) (core instance (instantiate $m)))",
        );
        for one in 1..=times {
            let before = one - 1;
            let _ = write!(
                text,
                "(component $c{one} (instance (instantiate $c{before})) (instance (instantiate $c{before})))"
            );
        }
        text + ")"
    }

    #[test]
    fn instances_are_counted_as_often_as_they_come_to_be() {
        assert_eq!(refusal(&doubled(12)), None);
        for times in [20, 200] {
            let text = refusal(&doubled(times)).unwrap();
            assert!(
                text.contains("it comes to more than 100000 instances"),
                "{text}"
            );
            assert!(
                text.ends_with("; link the driver into one component"),
                "{text}"
            );
        }
    }

    #[test]
    fn components_stand_in_each_other_only_so_deep() {
        let nested = |depth| "(component ".repeat(depth) + &")".repeat(depth);
        assert_eq!(refusal(&nested(32)), None);
        let text = refusal(&nested(33)).unwrap();
        assert!(
            text.contains("more than 32 components inside each other"),
            "{text}"
        );
    }

    #[test]
    fn components_are_not_handed_around() {
        let imported =
            "(component (component (import \"a\" (component $a)) (instance (instantiate $a))))";
        let taken = "(component (component $c (component $in) (export \"in\" (component $in)))
            (instance $i (instantiate $c)) (alias export $i \"in\" (component $out)))";
        for text in [imported, taken] {
            let text = refusal(text).unwrap();
            assert!(text.contains("takes another one as an argument"), "{text}");
        }
    }
}
