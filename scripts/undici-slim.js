// What the functions use of undici, in place of all of it: its index also loads mocks, caches, WebSockets and proxies,
// which costs every cold start some 70 ms. As index.js of the pinned version does, the request methods are laid onto
// Dispatcher. An import of anything else fails the build.
import Agent from 'undici/lib/dispatcher/agent.js';
import api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';

Object.assign(Dispatcher.prototype, api);

export { Agent, Pool };
