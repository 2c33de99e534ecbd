// The *prefetch* directive: what *cache* is told of refreshing popular names. *cache* does the work, with the files beside this one.
import { definePlugin } from '../../core/plugin.js';
import { prefetchSyntax } from './syntax.js';

export default definePlugin({ name: 'prefetch', partOf: 'cache', syntax: prefetchSyntax });
