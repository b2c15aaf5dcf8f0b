import type { WebhookProvider } from '../model/source.ts';
import { generic } from './generic.ts';
import { github } from './github.ts';
import type { WebhookHost } from './webhook-host.ts';

/** Every Git host whose webhooks are understood. */
export const webhookHosts: Readonly<Record<WebhookProvider, WebhookHost>> = { github, generic };
