// The *negative* directive: what *cache* is told of denials and failures. *cache* does the work, with the files beside this one.
import { definePlugin } from '../../core/plugin.js';
import { negativeSyntax } from './syntax.js';

export default definePlugin({ name: 'negative', partOf: 'cache', syntax: negativeSyntax });
