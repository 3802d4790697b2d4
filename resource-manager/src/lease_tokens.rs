//! Tokens of leases. The brain grants a lease; the daemon signs it, because only the daemon has the key.

use weir_protocol::cluster::SignedLease;
use weir_resource_manager_brain::GrantedLease;
use weir_service::Secret;

/// Adds the token that the agent of the lease's node checks.
pub fn sign(granted: GrantedLease, secret: &Secret) -> SignedLease {
    let GrantedLease { ask, lease } = granted;
    SignedLease { ask, token: secret.sign_lease(&lease), lease }
}
