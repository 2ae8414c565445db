//! Components that nobody would write: the same ones each time, from seeds.

use anyhow::{Context, Result};
use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

use super::core_modules::Contract;
use crate::workspace::Workspace;

/// How many of each kind. The hostile corpus has a line for all of them.
const COUNT: u64 = 24;

/// What one is made of. More bytes make larger functions.
const BYTES: usize = 16 << 10;

/// Drivers with handlers of random code over all imports, `random_driver_N`; and
/// components of no world in particular, `random_other_N`.
pub(super) fn components(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    let contract = Contract::read(&workspace.root.join("wit"))?;
    let shape = contract.dummy();
    let mut components = Vec::new();
    for seed in 0..COUNT {
        let made = driver(&contract, &shape, seed);
        let made = made.with_context(|| format!("cannot make a driver of the seed {seed}"))?;
        components.push((format!("random_driver_{seed}"), made));
        let other = Component::new(runnable(), &mut Unstructured::new(&bytes(!seed)))?;
        components.push((format!("random_other_{seed}"), other.to_bytes()));
    }
    Ok(components)
}

fn driver(contract: &Contract, shape: &[u8], seed: u64) -> Result<Vec<u8>> {
    let config = Config {
        available_imports: Some(shape.to_vec()),
        exports: Some(shape.to_vec()),
        // Of what an engine runs today, all.
        ..runnable()
    };
    let module = Module::new(config, &mut Unstructured::new(&bytes(seed)))?;
    contract.component(module.to_bytes())
}

/// What the engine has switched on, in sizes that most limits allow: most of
/// what it makes is to run.
fn runnable() -> Config {
    Config {
        exceptions_enabled: false,
        reference_types_enabled: false,
        gc_enabled: false,
        threads_enabled: false,
        max_memory32_bytes: 1 << 21,
        max_memory64_bytes: 1 << 21,
        max_table_elements: 1000,
        ..Config::default()
    }
}

/// The generator `SplitMix64`.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    (0..BYTES / 8).flat_map(|_| word()).collect()
}
