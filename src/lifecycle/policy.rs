//! What holds for a pod before it says anything itself.

/// Everything that the configuration says; one value serves all pods.
#[derive(Debug, Clone, Default)]
pub struct Policy {}

/// What a Namespace says to its pods: labels and annotations under our domain.
#[derive(Debug, Clone, Default)]
pub struct Namespace {}
