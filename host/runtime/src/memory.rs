//! The memory of instances.

use crate::limits::{LimitHit, Limits};
use wasmtime::ResourceLimiter;

/// Sums the memories and the tables of an instance, and refuses what is over.
///
/// A growth past a memory's own maximum is refused here already, and never
/// counted. To count it and take it back in `memory_grow_failed` would be a way
/// past the limit: the engine calls that also for growths that it has not asked
/// about (a 64-bit table by 2^64 - 1), and what it would take back is then a
/// growth that was made. What fails after this, for want of the machine's
/// memory, stays counted.
pub(crate) struct MemoryLimiter {
    memory: Sum,
    tables: Sum,
    /// What was refused in the running call. The guest learns that its memory
    /// did not grow; if it ends over that, this was the cause.
    pub(crate) refused: Option<LimitHit>,
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Sum::new(limits.memory),
            tables: Sum::new(limits.table_elements),
            refused: None,
        }
    }

    /// Bytes of linear memory in use.
    pub(crate) fn in_use(&self) -> u64 {
        self.memory.used
    }
}

/// What several memories, or tables, use together.
struct Sum {
    used: u64,
    limit: u64,
}

impl Sum {
    fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    /// Whether one of them may grow; the error is the sum that would be past
    /// the limit.
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, u64> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // Two 64-bit tables can ask for more than there are numbers.
        let asked = self.used.saturating_add((desired - current) as u64);
        if asked > self.limit {
            return Err(asked);
        }
        self.used = asked;
        Ok(true)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.memory.limit;
        let grown = self.memory.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|asked| {
            self.refused = Some(LimitHit::Memory { asked, limit });
            false
        }))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.tables.limit;
        let grown = self.tables.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|asked| {
            self.refused = Some(LimitHit::Tables { asked, limit });
            false
        }))
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::{Engine, Instance, Module, Store};

    /// What of the limits is in use, bytes and elements, after each of these
    /// growths was tried a hundred times in turn.
    fn grown(memory: &str, table: &str, pages: &[i32], elements: &[i64]) -> (u64, u64) {
        let module = format!(
            "(module (memory {memory}) (table i64 {table} funcref)
               (func (export \"memory\") (param i32)
                 (drop (memory.grow (local.get 0))))
               (func (export \"table\") (param i64)
                 (drop (table.grow (ref.null func) (local.get 0)))))"
        );
        let engine = Engine::default();
        let module = Module::new(&engine, wat::parse_str(module).unwrap()).unwrap();
        let mut store = Store::new(&engine, MemoryLimiter::new(&Limits::default()));
        store.limiter(|limiter| limiter);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance
            .get_typed_func::<i32, ()>(&mut store, "memory")
            .unwrap();
        let table = instance
            .get_typed_func::<i64, ()>(&mut store, "table")
            .unwrap();
        for _ in 0..100 {
            for &pages in pages {
                memory.call(&mut store, pages).unwrap();
            }
            for &elements in elements {
                table.call(&mut store, elements).unwrap();
            }
        }
        let limiter = store.data();
        (limiter.memory.used, limiter.tables.used)
    }

    #[test]
    fn a_growth_past_its_own_maximum_is_not_charged() {
        assert_eq!(grown("1 2", "1 5", &[3], &[9]), (64 << 10, 1));
        assert_eq!(grown("1 2", "1 5", &[3, 1], &[9, 4]), (128 << 10, 5));
    }

    #[test]
    fn growths_that_cannot_be_give_nothing_back() {
        let (memory, tables) = grown("1", "1", &[1, -1], &[1000, -1]);
        assert_eq!(memory, Limits::default().memory);
        assert_eq!(tables, 19_001);
    }

    #[test]
    fn what_two_tables_ask_for_together_does_not_wrap() {
        let mut tables = Sum::new(10);
        assert_eq!(tables.grow(0, 4, None), Ok(true));
        assert_eq!(tables.grow(0, 4, None), Ok(true));
        assert_eq!(tables.grow(4, usize::MAX, None), Err(u64::MAX));
        assert_eq!(tables.used, 8);
    }
}
