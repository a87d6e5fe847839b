//! Serving certificates that we make ourselves, keep in a Secret and renew:
//!
//! ```text
//! Secret ─→ contents ─→ state (what is to be done now) ─→ keeper ─→ Secret, caBundle, what is served
//! ```
//!
//! A CA signs one leaf and forgets its key at once, so nothing is kept that could sign another. Renewal makes
//! both anew, and both CAs are in the bundle while one takes the other's place.

mod authority;
mod bundle;
mod change;
mod contents;
mod inspect;
mod keeper;
mod state;
mod status;
mod store;

pub use authority::{Authority, Names, Pair};
pub use bundle::{Configuration, Kind};
pub use change::after;
pub use contents::{Contents, Leaf, Unusable, certificates};
pub use inspect::{Certificate, Inspection, Webhook};
pub use keeper::{Keeper, Settings};
pub use state::{Schedule, Situation, Step, step};
pub use status::Status;
pub use store::Store;
