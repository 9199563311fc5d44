//! People, services, their roles and tokens.

use stemma_core::standing::Revocable;

use crate::types::*;

acts! {
    PRINCIPALS as principals: GET /principals ? Paging<u64> => Page<Principal>,
        ManageRights in Home at any time, Ordinary, "all principals and their roles";
    GRANT as add_principal: POST /principals, AddPrincipal => IssuedToken,
        ManageRights in Home, Ordinary, "grant a role and issue a token, shown once";
    TOKENS as tokens: GET /tokens ? Paging<u64> => Page<Token>,
        ManageRights in Home at any time, Ordinary, "all tokens that were not withdrawn, without their secrets";
    REVOKE as revoke: POST /revocations, Revocable => Revoked,
        ManageRights in Home, Ordinary, "withdraw a role, a token, or all that somebody holds";
}
