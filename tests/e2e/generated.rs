//! Generated pods: the property tests' generator, from a seed.

#[allow(dead_code, reason = "proptest's side of it is not needed here")]
#[path = "../properties/dice.rs"]
mod dice;
#[path = "../properties/pods.rs"]
mod pods;
#[path = "../properties/says.rs"]
mod says;

use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::policy::Policy;
use serde_json::Value;

/// A pod, and what else could decide about it.
pub(crate) struct Case {
    pub(crate) pod: Value,
    pub(crate) namespace: Option<Said>,
    pub(crate) policy: Policy,
}

/// The case of that number; the same number gives the same case.
pub(crate) fn case(number: u64) -> Case {
    let mut state = number.wrapping_mul(0xa076_1d64_78bd_642f);
    let length = (split_mix(&mut state) % 400) as usize;
    let rolls: Vec<u16> = (0..length).map(|_| split_mix(&mut state) as u16).collect();
    let mut dice = dice::Dice::new(&rolls);
    Case {
        namespace: says::namespace(&mut dice),
        policy: says::policy(&mut dice),
        pod: pods::pod(&mut dice),
    }
}

/// SplitMix64: small, and good enough for choices.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
