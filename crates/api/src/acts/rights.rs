//! People, services, their roles and tokens.

use stemma_core::{rights::Denial, standing::Revocable};

use crate::types::*;

acts! {
    PRINCIPALS as principals: GET /principals ? Paging<u64> => Page<Principal>,
        Audit in Home at any time, Ordinary, "all principals, their roles, and what is denied to them";
    GRANT as add_principal: POST /principals, AddPrincipal => IssuedToken,
        ManageRights in Home, Ordinary, "grant a role and issue a token, shown once";
    TOKENS as tokens: GET /tokens ? Paging<u64> => Page<Token>,
        Audit in Home at any time, Ordinary, "all tokens that were not withdrawn, without their secrets";
    ISSUE as issue_token: POST /tokens, IssueToken => NewToken,
        ManageRights in Home, Ordinary, "issue a token that reaches some of what its holder may do, shown once";
    ROTATE as rotate_token: POST /tokens/rotate, RotateToken => NewToken,
        ManageRights in Home, Ordinary, "issue a token in the place of another, shown once";
    ROLES as roles: GET /roles ? Paging<u64> => Page<RightSince>,
        Audit in Home at any time, Ordinary, "all roles that hold, and all that is denied, with since when";
    GRANT_ROLE as grant_role: POST /roles, GrantRole => Principal,
        ManageRights in Home, Ordinary, "grant a role without a token";
    DENY as deny: POST /denials, Denial => Principal,
        ManageRights in Home, Ordinary, "deny an action or a role to somebody, whatever they are granted";
    /// Sets the password by which somebody signs in to the pages: one's own, or anybody's by whoever manages rights.
    SET_PASSWORD as set_password: POST /passwords, SetPassword => PasswordOf,
        Read in Somewhere, Ordinary, "set the password by which somebody signs in to the pages";
    REMOVE_PASSWORD as remove_password: POST /passwords/remove, RemovePassword => PasswordOf,
        Read in Somewhere, Ordinary, "let somebody sign in by tokens only";
    REVOKE as revoke: POST /revocations, Revocable => Revoked,
        ManageRights in Home, Ordinary, "withdraw a role, a denial, a token, or all that somebody holds";
}
