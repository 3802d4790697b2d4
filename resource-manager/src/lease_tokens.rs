//! Tokens of leases: the brain grants a lease, the key to sign it is with the daemon.

use weir_protocol::cluster::SignedLease;
use weir_resource_manager_brain::GrantedLease;
use weir_service::Secret;

/// Adds the token by which the agent of the lease's node accepts it.
pub fn sign(granted: GrantedLease, secret: &Secret) -> SignedLease {
    let GrantedLease { ask, lease } = granted;
    SignedLease { ask, token: secret.sign_lease(&lease), lease }
}
