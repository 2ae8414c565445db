//! The order in which drivers start: as they stand in the file, but no driver
//! before those whose services it uses.

use super::DriverEntry;
use super::source::Source;
use crate::error::BoardError;
use std::collections::BTreeMap;
use toml::Spanned;

/// Sorts the drivers into their start order.
///
/// # Errors
///
/// Where a driver uses what nobody provides, or what in the end waits for it.
pub(super) fn in_start_order(
    drivers: Vec<DriverEntry>,
    source: &Source,
) -> Result<Vec<DriverEntry>, BoardError> {
    let order = Walk::of(&drivers, source).order()?;
    let mut drivers: Vec<_> = drivers.into_iter().map(Some).collect();
    let taken = order.into_iter().filter_map(|index| drivers[index].take());
    Ok(taken.collect())
}

/// A walk from users to providers, depth first: it leaves a driver after all
/// that it uses.
struct Walk<'a> {
    drivers: &'a [DriverEntry],
    source: &'a Source,
    /// Who provides a service, by its place in the file.
    providers: BTreeMap<&'a str, usize>,
    left: Vec<bool>,
    /// Where the walk stands, the outermost driver first.
    path: Vec<usize>,
    order: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn of(drivers: &'a [DriverEntry], source: &'a Source) -> Self {
        let provided = |(index, driver): (usize, &'a DriverEntry)| {
            let services = driver.provides.iter();
            services.map(move |service| (service.get_ref().as_str(), index))
        };
        Self {
            drivers,
            source,
            providers: drivers.iter().enumerate().flat_map(provided).collect(),
            left: vec![false; drivers.len()],
            path: Vec::new(),
            order: Vec::new(),
        }
    }

    fn order(mut self) -> Result<Vec<usize>, BoardError> {
        for index in 0..self.drivers.len() {
            self.enter(index)?;
        }
        Ok(self.order)
    }

    /// As deep as the longest stack of drivers: a file could make it overflow
    /// the thread's, so that is bounded.
    fn enter(&mut self, index: usize) -> Result<(), BoardError> {
        if self.left[index] {
            return Ok(());
        }
        self.path.push(index);
        for service in &self.drivers[index].uses {
            let provider = self.provider(index, service)?;
            self.enter(provider)?;
        }
        self.path.pop();
        self.left[index] = true;
        self.order.push(index);
        Ok(())
    }

    fn provider(&self, user: usize, service: &Spanned<String>) -> Result<usize, BoardError> {
        let cause = match self.providers.get(service.get_ref().as_str()) {
            None => "no driver provides it; add it to some driver's `provides`".to_owned(),
            Some(&provider) if provider == user => {
                "it provides that itself; remove it from `uses`".to_owned()
            }
            Some(provider) if self.path.contains(provider) => format!(
                "that waits for itself: {}; take one of these out of its driver's `uses`",
                self.circle(*provider, service.get_ref())
            ),
            Some(_) if self.path.len() >= STACK_MAX => {
                format!("at most {STACK_MAX} drivers can use one another in a row")
            }
            Some(&provider) => return Ok(provider),
        };
        let user = self.drivers[user].name.get_ref();
        let service_name = service.get_ref();
        Err(self.source.invalid(
            service.span(),
            &format!("`{user}` uses the service `{service_name}`, but {cause}"),
        ))
    }

    /// Who uses what of whom, from `first` back to it.
    fn circle(&self, first: usize, last_service: &str) -> String {
        let from = self.path.iter().position(|&index| index == first);
        let circle = &self.path[from.unwrap_or(0)..];
        let name = |index: usize| self.drivers[index].name.get_ref().as_str();
        let used = |pair: &[usize]| {
            let mut uses = self.drivers[pair[0]].uses.iter().map(Spanned::get_ref);
            let service =
                uses.find(|service| self.providers.get(service.as_str()) == Some(&pair[1]));
            format!(
                "`{}` uses `{}`",
                name(pair[0]),
                service.map_or("", String::as_str)
            )
        };
        let mut words: Vec<_> = circle.windows(2).map(used).collect();
        let last = circle.last().map_or("", |&index| name(index));
        words.push(format!("`{last}` uses `{last_service}`"));
        words.join(", ")
    }
}

/// How many drivers a stack can have.
const STACK_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use crate::board_file::BoardFile;

    fn board(drivers: &[(&str, &[&str], &[&str])]) -> Result<Vec<String>, String> {
        let entry = |(name, provides, uses): &(&str, &[&str], &[&str])| {
            format!(
                "[[driver]]\nname = \"{name}\"\ncomponent = \"d.wasm\"\nprovides = {provides:?}\nuses = {uses:?}\n"
            )
        };
        let drivers: String = drivers.iter().map(entry).collect();
        let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
        let file = BoardFile::parse(&text, "board.toml").map_err(|error| error.to_string())?;
        let names = file
            .drivers
            .iter()
            .map(|driver| driver.name.get_ref().clone());
        Ok(names.collect())
    }

    #[test]
    fn drivers_start_after_those_they_use_and_else_as_they_stand() {
        let order = board(&[
            ("top", &[], &["middle", "other"]),
            ("alone", &[], &[]),
            ("low", &["low"], &[]),
            ("mid", &["middle"], &["low"]),
            ("other", &["other"], &["low"]),
        ]);
        assert_eq!(order.unwrap(), ["low", "mid", "other", "top", "alone"]);
        let order = board(&[("a", &["a"], &[]), ("b", &[], &["a"]), ("c", &[], &[])]);
        assert_eq!(order.unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn what_waits_for_itself_is_told_all_around() {
        let error = board(&[
            ("outside", &[], &["a"]),
            ("x", &["a"], &["b"]),
            ("y", &["b"], &["c"]),
            ("z", &["c"], &["a"]),
        ]);
        let error = error.unwrap_err();
        assert!(error.starts_with("board.toml:22: "), "{error}");
        assert!(
            error.contains("`x` uses `b`, `y` uses `c`, `z` uses `a`; take one"),
            "{error}"
        );
        let error = board(&[("x", &["a"], &["a"])]).unwrap_err();
        assert!(error.contains("provides that itself"), "{error}");
        let error = board(&[("x", &[], &["a"])]).unwrap_err();
        assert!(error.contains("no driver provides it"), "{error}");
    }

    #[test]
    fn a_stack_has_a_height() {
        let names: Vec<_> = (0..100).map(|index| format!("d{index}")).collect();
        let provides: Vec<_> = names.iter().map(|name| [name.as_str()]).collect();
        let stack = |height: usize| -> Vec<(&str, &[&str], &[&str])> {
            let entry = |index: usize| -> (&str, &[&str], &[&str]) {
                let uses: &[&str] = if index + 1 < height {
                    &provides[index + 1]
                } else {
                    &[]
                };
                (names[index].as_str(), &provides[index], uses)
            };
            (0..height).map(entry).collect()
        };
        assert_eq!(board(&stack(64)).unwrap()[0], "d63");
        let error = board(&stack(65)).unwrap_err();
        assert!(error.contains("at most 64 drivers"), "{error}");
    }
}
