// Lets a thread load TypeScript: Node 20 starts threads without the loader of their process.

import { register } from 'tsx/esm/api'

register()
