//! Choices for generators: a list of numbers that proptest rolls and shrinks. Zero, also past the end of
//! the list, is always the plainest choice, so a failing case shrinks to a plain pod with one odd thing.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

pub(super) struct Dice<'d>(std::slice::Iter<'d, u16>);

/// The rolls for one case.
pub(super) fn rolls() -> impl Strategy<Value = Vec<u16>> {
    vec(any::<u16>(), 0..400)
}

impl<'d> Dice<'d> {
    pub(super) fn new(rolls: &'d [u16]) -> Self {
        Self(rolls.iter())
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % end
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(super) fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }

    /// Mostly one of the usual values, sometimes one of the odd ones.
    pub(super) fn mostly<T: Clone>(&mut self, usual: &[T], odd: &[T]) -> T {
        if self.once_in(25) {
            self.pick(odd)
        } else {
            self.pick(usual)
        }
    }

    /// Sets a field once in `times`; once in forty of these to null.
    pub(super) fn field(
        &mut self,
        map: &mut Map<String, Value>,
        times: usize,
        name: &str,
        value: impl FnOnce(&mut Self) -> Value,
    ) {
        if self.once_in(times) {
            let value = if self.once_in(40) {
                Value::Null
            } else {
                value(self)
            };
            map.insert(name.to_owned(), value);
        }
    }
}
