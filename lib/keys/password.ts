import { hash, truncates } from "bcryptjs";
import { AppError } from "../errors.ts";
import { keepPassword, type Session } from "../sessions/session.ts";

/** The same cost as in a gateway: about a tenth of a second of one CPU. */
const COST = 10;

/**
 * As a gateway stores a basic-auth user: a blank password, or the stored hash itself, keeps the stored password; any
 * other password is hashed. Throws session-invalid for a password that is too long for bcrypt.
 */
export async function withPasswordHash(session: Session, before?: Session): Promise<Session> {
  const password = session.basic_auth_data?.password;
  if (!password || password === before?.basic_auth_data?.password) return keepPassword(session, before);
  if (truncates(password))
    throw new AppError("session-invalid", "basic_auth_data.password has more than 72 bytes", {
      field: "basic_auth_data",
    });
  return { ...session, basic_auth_data: { password: await hash(password, COST), hash_type: "bcrypt" } };
}
