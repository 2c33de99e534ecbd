// Looking something up in a container by one of our tokens.
import type { DependencyContainer } from 'tsyringe';
import type { Token } from '../chain/services.js';

/** What `token` stands for; throws an Error that names it when there is none. */
export function resolve<T>(container: DependencyContainer, token: Token<T>): T {
  if (!container.isRegistered(token.symbol, true)) {
    throw new Error(`${token.symbol.description} is not available here`);
  }
  return container.resolve<T>(token.symbol);
}
